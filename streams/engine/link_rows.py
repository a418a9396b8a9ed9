"""Rows that the facets stage sends to the campaigns stage.

A row is the whole state of one account's membership in one suspect facet, not a
change to it: taking a row twice, or only the newest of many, gives the same result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.stage import Output
from streams.errors import UndecodableRecord
from streams.features.account_row import MODEL_USES, TRAFFIC

__all__ = [
    "LinkRow",
    "LinkTuple",
    "decode_links",
    "member_links",
    "model_row",
    "traffic_row",
]

_PART_BYTES: Final = 900_000
"""Bytes of rows in a part; Kafka takes records of 1 MB by default. Rows are counted by
their bytes, as ids may be ten characters long or five hundred."""


class LinkRow(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """Membership of an account in a suspect facet at the end of ``minute``.

    ``degree`` counts the accounts that use the facet at all; ``distinct`` is the share
    of distinct fillings among ``samples``. The account's fields are those of
    `streams.features.member_table.MEMBER_ROW`. A row of kind `TRAFFIC` is about nobody:
    its ``count`` is the number of all events of the minute that went to a model, and
    ``facet`` the model's hash. One of kind `MODEL_USES` tells how many of the minute's
    uses of a suspect template went to the model ``name``; its ``degree`` counts their
    owners, and ``owner`` is set where it was one.
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
    infrastructure: tuple[int, int, int, int] = (0, 0, 0, 0)


LinkTuple = tuple[Any, ...]
"""The fields of a `LinkRow` in order, as they travel."""


def traffic_row(minute: int, model: int, events: int) -> LinkTuple:
    """Make the row that tells the events of a minute and model, by the model's hash."""
    return _about_nobody(minute, model, (TRAFFIC, ""), events)


def model_row(  # noqa: PLR0917 the fields of a row
    minute: int, facet: int, model: str, uses: int, owners: int, owner: int
) -> LinkTuple:
    """Make the row that tells a minute's uses of a suspect template with a model.

    ``owners`` are so many; ``owner`` is the one, 0 for several.
    """
    return _about_nobody(minute, facet, (MODEL_USES, model), uses, (owners, owner))


def _about_nobody(
    minute: int,
    facet: int,
    row: tuple[int, str],
    count: int,
    owned: tuple[int, int] = (0, 0),
) -> LinkTuple:
    owners, owner = owned
    known = (owners, *_UNKNOWN, owner, _UNCREATED)
    return (minute, facet, "", *row, *known, minute, minute, count, *_UNUSED)


_NOBODY: Final = msgspec.structs.astuple(
    LinkRow(
        minute=0,
        facet=0,
        account="",
        kind=0,
        name="",
        degree=0,
        exchanges=0,
        samples=0,
        distinct=0.0,
        families=[],
        owner=0,
        created=-1,
        first=0,
        last=0,
        count=0,
        events=0,
        templated=0,
        likeness=0,
        slots=0,
    )
)
_UNKNOWN: Final = _NOBODY[6:10]
"""From ``exchanges`` to ``families``."""
_UNCREATED: Final = _NOBODY[11]
_UNUSED: Final = _NOBODY[15:]
"""From ``events`` on."""


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
    rows: Iterable[LinkTuple], *, source_partition: int, closed_minute: int
) -> list[Output]:
    """Make the MemberLinks records; without rows one still closes the minutes."""
    outputs = []
    payloads = list(_payloads(rows))
    for number, payload in enumerate(payloads):
        batch = StageBatch(
            source_partition=source_partition,
            part=number,
            last=number == len(payloads) - 1,
            closed_minute=closed_minute,
            payload=payload,
        )
        outputs.append(
            Output(
                topic="llm.links",
                partition=0,
                key=b"0",
                value=encode_batch("MemberLinks", batch),
                timestamp=closed_minute * MS_PER_MINUTE,
                event_id=f"{source_partition}-{closed_minute}-{number}",
                type="io.distillwatch.MemberLinks",
            )
        )
    return outputs


def _payloads(rows: Iterable[LinkTuple]) -> Iterator[bytes]:
    """Encode rows as lists, each of as many as fit."""
    rows = list(rows)
    whole = msgspec.msgpack.encode(rows)
    if len(whole) <= _PART_BYTES:  # as nearly always
        yield whole
        return
    part: list[msgspec.Raw] = []
    size = 0
    for row in rows:
        packed = msgspec.msgpack.encode(row)
        if part and size + len(packed) > _PART_BYTES:
            yield msgspec.msgpack.encode(part)
            part, size = [], 0
        part.append(msgspec.Raw(packed))
        size += len(packed)
    yield msgspec.msgpack.encode(part)
