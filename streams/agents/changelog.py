"""How state rows lie in a changelog partition, and which of them count.

Every row carries a header with its writer's *epoch*, which rises with each change of
owner. The last row of a flush also carries an *end* header: until it is read, the rows
before it do not count, so a restored state is always one that a flush had reached. A
new owner writes a *fence* with its epoch before it reads. So it reads all that may ever
count of former owners, and rows of a lower epoch behind the fence, from an owner that
had lost the partition and did not know, count for nobody.

Rows of a flush that was cut off stay in the log, and the ends of later flushes come
after them. So the new owner names their offsets in all its end headers, with those that
former owners named. Compaction keeps order and the newest end, so the rules hold for a
compacted partition as well.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from streams.engine.stage import Row
from streams.errors import StateError

__all__ = [
    "ChangelogReader",
    "ChangelogWriter",
    "Ranges",
    "RowHeaders",
    "fence",
]

_FENCE = b"\x00fence "
_EPOCH = "e"
_END = "f"
_EPOCH_BYTES = struct.Struct(">I")
_RANGE = struct.Struct(">qq")
# A cut-off flush is written anew within minutes of the next owner's start, and its
# range means nothing from then on; so many crashes in a row are beyond that.
_RANGES_KEPT = 64

RowHeaders = list[tuple[str, bytes]]
Ranges = tuple[tuple[int, int], ...]
"""Offsets that do not count, each from the first to before the second."""


class ChangelogWriter:
    """Makes the headers of the rows of one owner.

    >>> dict(ChangelogWriter(3, ()).row_headers)["e"].hex()
    '00000003'
    """

    def __init__(self, epoch: int, ranges: Ranges) -> None:
        self.epoch = epoch
        self.row_headers: RowHeaders = [(_EPOCH, _EPOCH_BYTES.pack(epoch))]
        self.end_headers: RowHeaders = [*self.row_headers, (_END, _pack(ranges))]


def fence(epoch: int) -> tuple[bytes, RowHeaders]:
    """Return key and headers of a new owner's fence; its value is empty.

    Each has a key of its own, so that compaction leaves it where it is: without it
    the rows behind it would seem to come before the change of owners.
    """
    stamp = _EPOCH_BYTES.pack(epoch)
    return _FENCE + stamp, [(_EPOCH, stamp)]


class ChangelogReader:
    """Takes the records of one partition in log order and gives the rows that count.

    ``place`` names the partition in errors.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._epoch = 0
        self._ranges: Ranges = ()
        self._pending: list[tuple[int, Row]] = []
        self._counted_end = 0

    def read(
        self,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Sequence[tuple[str, bytes | None]]],
    ) -> list[Row]:
        """Take records as columns; return rows that have come to count, in order."""
        counted: list[Row] = []
        pending = self._pending
        known = b""  # the header value of rows that were found in order just before
        for offset, key, value, found in zip(
            offsets, keys, values, headers, strict=True
        ):
            if not found or key is None or found[0][0] != _EPOCH:
                raise StateError(
                    f"{self._place}@{offset}: not a row of ours; the changelog topic "
                    "must have no other writer"
                )
            stamp = found[0][1] or b""
            if stamp != known:
                epoch = _EPOCH_BYTES.unpack(stamp)[0]
                if epoch < self._epoch:
                    continue  # its writer had lost the partition
                self._epoch, known = epoch, stamp
            if key.startswith(_FENCE):
                continue
            pending.append((offset, Row(key, value)))
            if len(found) > 1:
                self._ranges = _unpack(found[1][1])
                counted.extend(self._without_ranges(pending))
                pending = self._pending = []
                self._counted_end = offset + 1
        return counted

    @property
    def epoch(self) -> int:
        """The highest epoch read."""
        return self._epoch

    def take_over(self, epoch: int, fence_offset: int) -> ChangelogWriter:
        """End the reading behind the own fence; what is not ended does not count."""
        ranges = self._ranges
        if self._pending:
            ranges = (*ranges, (self._counted_end, fence_offset))
        self._pending = []
        return ChangelogWriter(epoch, ranges)

    def _without_ranges(self, pending: list[tuple[int, Row]]) -> Iterable[Row]:
        first = pending[0][0]
        relevant = [r for r in self._ranges if r[1] > first]
        for offset, row in pending:
            if not any(low <= offset < high for low, high in relevant):
                yield row


def _pack(ranges: Ranges) -> bytes:
    return b"".join(_RANGE.pack(*r) for r in ranges[-_RANGES_KEPT:])


def _unpack(packed: bytes | None) -> Ranges:
    return tuple(_RANGE.iter_unpack(packed or b""))
