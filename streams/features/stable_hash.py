"""Hashes of ids that state and records keep."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["stable_hash"]


def stable_hash(text: str) -> int:
    """Hash text to 64 bits, the same in every process and version.

    >>> stable_hash("")
    13020603013274838756
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
