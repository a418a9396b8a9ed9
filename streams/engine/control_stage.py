"""The control stage: operators' entries from llm.control into the log of llm.links.

Decisions are made in the campaigns stage, and their order must be one that a restart
finds again. So entries join the one log that this stage reads: where an entry lies in
it is when it takes effect, for good.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from streams.contracts.records import ControlEntry, decode_record
from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.engine.marked_rows import MARKER, MarkedRows
from streams.engine.stage import Chunk, DirtyRows, Output, Rejected, Row
from streams.errors import ContractError, UndecodableRecord

__all__ = [
    "CONTROL_SOURCE",
    "ControlRecord",
    "ControlStage",
    "decode_control",
    "forward",
]

CONTROL_SOURCE: Final = -1
"""Source of a batch that carries an operator's entry instead of links."""


class ControlRecord(NamedTuple):
    """A record of llm.control: ``value`` None withdraws the entry.

    It takes effect ``after`` that minute; None: after those closed when it comes.
    """

    offset: int
    entry_id: str
    value: bytes | None
    after: int | None = None

    def entry(self) -> ControlEntry | None:
        """Decode the entry; None is a withdrawal."""
        return None if self.value is None else decode_record(ControlEntry, self.value)


class ControlStage:
    """Forwards each entry once it can be read; keeps nothing but its position."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._next = 0
        self._flushed = 0
        self._waiting: list[tuple[ControlRecord, int]] = []
        self._restoring = MarkedRows()

    @property
    def applied_offset(self) -> int:
        """Offset of the first record that was not forwarded."""
        return self._waiting[0][0].offset if self._waiting else self._next

    @property
    def open_minute(self) -> int | None:
        """None: entries have no minutes of their own."""
        return None

    def close_idle(self, minute: int) -> None:
        """Do nothing: there are no minutes to close."""

    def take(self, chunk: Chunk) -> list[Rejected]:
        """Decode entries and tombstones."""
        rejected = []
        keys = chunk.keys or [None] * len(chunk.offsets)
        for offset, key, value, timestamp in zip(
            chunk.offsets, keys, chunk.values, chunk.timestamps, strict=True
        ):
            if offset < self._next:
                continue
            self._next = offset + 1
            try:
                record = _record(offset, key, value)
            except ContractError as error:
                rejected.append(Rejected(offset, error))
            else:
                self._waiting.append((record, timestamp))
        return rejected

    def advance(self) -> list[Output]:
        """Give the entries that came, in the order of their log."""
        outputs = [forward(record, time) for record, time in self._waiting]
        self._waiting.clear()
        return outputs

    def dirty_rows(self) -> DirtyRows:
        """Give the position as a marker; empty when it did not move."""
        if self._flushed == self._next:
            return DirtyRows()
        self._flushed = self._next
        return DirtyRows([MARKER], [msgspec.msgpack.encode(self._next)])

    def restore(self, rows: Iterable[Row]) -> None:
        """Take changelog rows."""
        for flush in self._restoring.add(rows):
            self._next = self._flushed = msgspec.msgpack.decode(flush.marker, type=int)

    def restored(self) -> None:
        """End the restoration."""
        self._restoring.drop()


def _record(offset: int, key: bytes | None, value: bytes | None) -> ControlRecord:
    if value is not None:
        entry = decode_record(ControlEntry, value)
        return ControlRecord(offset, entry.entry_id, value)
    if not key:
        raise UndecodableRecord("a tombstone without a key withdraws no entry")
    try:
        return ControlRecord(offset, key.decode(), None)
    except UnicodeDecodeError as error:
        raise UndecodableRecord("the key of a tombstone is not UTF-8") from error


def forward(record: ControlRecord, timestamp: int) -> Output:
    """Make the record that carries an entry into llm.links."""
    batch = StageBatch(
        source_partition=CONTROL_SOURCE,
        part=0,
        last=True,
        closed_minute=-1,
        payload=msgspec.msgpack.encode(record),
    )
    return Output(
        topic="llm.links",
        partition=0,
        key=b"control",
        value=encode_batch("MemberLinks", batch),
        timestamp=timestamp,
        event_id=f"control-{record.offset}",
        type="io.distillwatch.MemberLinks",
    )


def decode_control(payload: bytes) -> ControlRecord:
    """Decode the payload of a forwarded entry; raise `UndecodableRecord` else."""
    try:
        return msgspec.msgpack.decode(payload, type=ControlRecord)
    except msgspec.MsgspecError as error:
        raise UndecodableRecord(
            "the payload is not a forwarded control entry: was the record written by "
            "another version of distillwatch?"
        ) from error
