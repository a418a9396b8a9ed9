"""How state rows lie in a changelog partition, and which of them count.

Every row carries a header with its writer's *epoch*, which rises with each change of
owner. The last row of a flush also carries an *end* header: until it is read, the rows
before it do not count, so a restored state is always one that a flush had reached. A
new owner first writes a *fence*. From it a reader learns two things that the rows alone
do not tell:

* rows of a lower epoch behind it come from an owner that had lost the partition and did
  not know: they do not count;
* the offsets between the last end that the new owner has read and the fence hold the
  rows of a flush that was cut off: they do not count, whatever end comes after them.

Fences and ends repeat the latest such ranges, because compaction keeps only the newest
of each; it keeps order, so the rules hold for a compacted partition as well.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence

from streams.engine.stage import Row
from streams.errors import StateError

__all__ = [
    "FENCE_KEY",
    "ChangelogReader",
    "ChangelogWriter",
    "Ranges",
    "RowHeaders",
    "Takeover",
]

FENCE_KEY = b"\x00fence"
_EPOCH = "e"
_END = "f"
_COUNTED_END = "c"
_EPOCH_BYTES = struct.Struct(">I")
_OFFSET = struct.Struct(">q")
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


@dataclasses.dataclass(frozen=True, slots=True)
class Takeover:
    """What a new owner writes first, and what it writes with from then on.

    ``counted_end`` is the offset behind the last row that counts.
    """

    epoch: int
    counted_end: int
    ranges: Ranges

    @property
    def fence_headers(self) -> RowHeaders:
        """The headers of the fence; its value is empty."""
        return [
            (_EPOCH, _EPOCH_BYTES.pack(self.epoch)),
            (_END, _pack(self.ranges)),
            (_COUNTED_END, _OFFSET.pack(self.counted_end)),
        ]

    def writer(self, fence_offset: int) -> ChangelogWriter:
        """Return the writer, once the fence lies at ``fence_offset``."""
        cut_off = (self.counted_end, fence_offset)
        return ChangelogWriter(self.epoch, (*self.ranges, cut_off))


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
            if key == FENCE_KEY:
                cut_off = (_OFFSET.unpack(found[2][1] or b"")[0], offset)
                self._ranges = (*_unpack(found[1][1]), cut_off)
                self._drop_ranges()
                pending = self._pending
                continue
            pending.append((offset, Row(key, value)))
            if len(found) > 1:
                self._ranges = _unpack(found[1][1])
                self._drop_ranges()
                counted.extend(row for _, row in self._pending)
                pending = self._pending = []
                self._counted_end = offset + 1
        return counted

    def take_over(self, generation: int) -> Takeover:
        """End the reading; rows whose flush has not ended do not count.

        The epoch is the generation of the consumer group, or one more than the highest
        in the log if the group was deleted and counts anew.
        """
        self._pending = []
        epoch = max(generation, self._epoch + 1)
        return Takeover(epoch, self._counted_end, self._ranges)

    def _drop_ranges(self) -> None:
        if not self._ranges:
            return
        first = self._pending[0][0] if self._pending else 0
        relevant = [r for r in self._ranges if r[1] > first]
        if relevant:
            self._pending = [
                (offset, row)
                for offset, row in self._pending
                if not any(low <= offset < high for low, high in relevant)
            ]


def _pack(ranges: Ranges) -> bytes:
    return b"".join(_RANGE.pack(*r) for r in ranges[-_RANGES_KEPT:])


def _unpack(packed: bytes | None) -> Ranges:
    return tuple(_RANGE.iter_unpack(packed or b""))
