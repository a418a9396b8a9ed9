"""Rows that the facets stage sends to the campaigns stage.

A row is the whole state of one account's membership in one suspect facet, not a
change to it: taking a row twice, or only the newest of many, gives the same result.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.engine.stage import Output
from streams.errors import UndecodableRecord

__all__ = ["LinkRow", "decode_links", "member_links"]

_ROWS_PER_PART: Final = 4_000
"""At some 150 bytes a row a part stays under Kafka's limit of 1 MB a record."""


class LinkRow(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Membership of an account in a suspect facet at the end of ``minute``.

    ``degree`` counts the accounts that use the facet at all; ``distinct`` is the share
    of distinct fillings among ``samples``. See `streams.features.facet_state.Member`
    for the account's fields.
    """

    minute: int
    facet: int
    account: str
    kind: int
    name: str
    degree: int
    exchanges: int
    samples: int
    distinct: float
    pivot: str
    families: list[str]
    owner: int
    created: int
    first: int
    last: int
    count: int
    events: int
    templated: int
    likeness: int
    slots: int


_decoder = msgspec.msgpack.Decoder(list[LinkRow])


def decode_links(payload: bytes) -> list[LinkRow]:
    """Decode the payload of a MemberLinks record; raise `UndecodableRecord` else."""
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise UndecodableRecord(
            "the payload is not a list of link rows: was the record written by "
            "another version of distillwatch?"
        ) from error


def member_links(
    rows: list[LinkRow], *, source_partition: int, closed_minute: int
) -> list[Output]:
    """Make the MemberLinks records; without rows one still closes the minutes."""
    starts = range(0, max(len(rows), 1), _ROWS_PER_PART)
    outputs = []
    for number, start in enumerate(starts):
        batch = StageBatch(
            source_partition=source_partition,
            part=number,
            last=start == starts[-1],
            closed_minute=closed_minute,
            payload=msgspec.msgpack.encode(rows[start : start + _ROWS_PER_PART]),
        )
        outputs.append(
            Output(
                topic="llm.links",
                partition=0,
                key=b"0",
                value=encode_batch("MemberLinks", batch),
                timestamp=closed_minute * 60_000,
                event_id=f"{source_partition}-{closed_minute}-{number}",
                type="io.distillwatch.MemberLinks",
            )
        )
    return outputs
