"""The records that stages send each other: whole closed minutes, as columns.

One record carries many rows, and says up to which minute it completes its source
partition. A batch too large for one record comes in parts; only the last part counts
as closing, and a part 0 replaces whatever unfinished batch a crash left behind.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streams.contracts.codec import decode, encode
from streams.contracts.column_batch import Columns, pack_columns, unpack_columns

__all__ = ["MAX_PART_BYTES", "StageBatch", "decode_batch", "encode_batch"]

MAX_PART_BYTES: Final = 800_000
"""Kafka takes 1 MB records by default; the rest is room for framing and headers."""


class StageBatch(NamedTuple):
    """One part of a batch from one source partition.

    ``closed_minute`` is counted in minutes since the epoch and is inclusive.
    """

    source_partition: int
    part: int
    last: bool
    closed_minute: int
    columns: Columns


def encode_batch(name: str, batch: StageBatch) -> bytes:
    """Encode a part as the record ``name`` (FacetSums or MemberLinks)."""
    fields = batch._asdict()
    fields["payload"] = pack_columns(fields.pop("columns"))
    return encode(name, fields)


def decode_batch(name: str, value: bytes) -> StageBatch:
    """Decode a part; raise a `ContractError` on anything else."""
    fields = decode(name, value)
    fields["columns"] = unpack_columns(fields.pop("payload"))
    return StageBatch(**fields)
