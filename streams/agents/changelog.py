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
from collections.abc import Sequence

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

Headers = Sequence[tuple[str, bytes | None]]
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
        self._offsets: list[int] = []  # of rows whose flush has not ended yet
        self._rows: list[Row] = []
        self._counted_end = 0

    def read(
        self,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers],
    ) -> list[Row]:
        """Take records as columns; return rows that have come to count, in order."""
        counted: list[Row] = []
        seen: Headers | None = None  # most rows have the same ones, the very object
        counts = ends = False
        for offset, key, value, found in zip(
            offsets, keys, values, headers, strict=True
        ):
            if found is not seen:
                epoch = self._epoch_of(found, offset)
                seen, counts, ends = found, epoch >= self._epoch, len(found) > 1
                self._epoch = max(self._epoch, epoch)
            if key is None:
                raise self._foreign(offset)
            # A lower epoch: its writer had lost the partition.
            if not counts or key.startswith(_FENCE):
                continue
            self._offsets.append(offset)
            self._rows.append(Row(key, value))
            if ends:
                self._ranges = _unpack(found[1][1])
                counted += self._take_rows()
                self._counted_end = offset + 1
        return counted

    def _epoch_of(self, found: Headers, offset: int) -> int:
        if not found or found[0][0] != _EPOCH:
            raise self._foreign(offset)
        stamp: int = _EPOCH_BYTES.unpack(found[0][1] or b"")[0]
        return stamp

    def _foreign(self, offset: int) -> StateError:
        return StateError(
            f"{self._place}@{offset}: not a row of ours; the changelog topic must have "
            "no other writer"
        )

    def _take_rows(self) -> list[Row]:
        """Give the rows of a flush that has ended, but none in the named ranges."""
        offsets, rows = self._offsets, self._rows
        self._offsets, self._rows = [], []
        ranges = [r for r in self._ranges if r[1] > offsets[0]]
        if not ranges:
            return rows
        return [
            row
            for offset, row in zip(offsets, rows, strict=True)
            if not any(low <= offset < high for low, high in ranges)
        ]

    @property
    def epoch(self) -> int:
        """The highest epoch read."""
        return self._epoch

    def take_over(self, epoch: int, fence_offset: int) -> ChangelogWriter:
        """End the reading behind the own fence; what is not ended does not count."""
        ranges = self._ranges
        if self._rows:
            ranges = (*ranges, (self._counted_end, fence_offset))
        self._offsets, self._rows = [], []
        return ChangelogWriter(epoch, ranges)


def _pack(ranges: Ranges) -> bytes:
    return b"".join(_RANGE.pack(*r) for r in ranges[-_RANGES_KEPT:])


def _unpack(packed: bytes | None) -> Ranges:
    return tuple(_RANGE.iter_unpack(packed or b""))
