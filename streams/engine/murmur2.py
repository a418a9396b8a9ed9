"""Kafka's default partitioner: murmur2 of the key, as in the Java client."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["partition_of"]

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_CACHED_KEYS: Final = 1 << 18
"""Account ids whose partition is remembered, some 30 MB at most."""


def _murmur2(data: bytes) -> int:
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if length > whole:
        h ^= int.from_bytes(data[whole:], "little")
        h = h * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(_CACHED_KEYS)
def partition_of(key: str, partitions: int) -> int:
    """Give the partition that Java, aiokafka and our reporter choose for a key.

    >>> partition_of("account-1", 8)
    4
    """
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions
