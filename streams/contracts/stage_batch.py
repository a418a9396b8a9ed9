"""The records that stages send each other: whole closed minutes in one record.

One record carries many rows, and says up to which minute it completes its source
partition. A batch too large for one record comes in parts; only the last part counts
as closing, and a part 0 replaces whatever unfinished batch a crash left behind.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.contracts.codec import decode, encode

__all__ = ["StageBatch", "decode_batch", "encode_batch"]


class StageBatch(NamedTuple):
    """One part of a batch from one source partition.

    ``closed_minute`` is counted in minutes since the epoch and is inclusive.
    """

    source_partition: int
    part: int
    last: bool
    closed_minute: int
    payload: bytes


def encode_batch(name: str, batch: StageBatch) -> bytes:
    """Encode a part as the record ``name`` (FacetSums or MemberLinks)."""
    return encode(name, batch._asdict())


def decode_batch(name: str, value: bytes) -> StageBatch:
    """Decode a part; raise a `ContractError` on anything else."""
    return StageBatch(**decode(name, value))
