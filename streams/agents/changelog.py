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
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.bus.record_batch import encode_headers
from streams.bus.record_columns import decode_headers
from streams.contracts.byte_column import ByteColumn
from streams.engine.row_block import RowBlock
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

_EMPTY_EPOCH: Final = bytes(_EPOCH_BYTES.size)
_ROW_PREFIX: Final = encode_headers([(_EPOCH, _EMPTY_EPOCH)]).removesuffix(_EMPTY_EPOCH)
_NO_RANGES: Final = encode_headers([(_EPOCH, _EMPTY_EPOCH), (_END, b"")])
_END_PREFIX: Final = _NO_RANGES[: len(_ROW_PREFIX)]
"""How the headers of a row, and of an end, begin: up to the epoch."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
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
        self.ranges = ranges
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
        # Rows whose flush has not ended yet, with their offsets.
        self._held: list[tuple[Ints, RowBlock]] = []
        self._counted_end = 0

    def read(
        self, offsets: Sequence[int], rows: RowBlock, headers: ByteColumn
    ) -> list[RowBlock]:
        """Take records as columns; return rows that have come to count, in order.

        ``headers`` are encoded as `streams.bus.record_batch.encode_headers` does.
        """
        if not len(rows):
            return []
        at = np.asarray(offsets, np.int64)
        epochs, ends = self._epochs(at, rows, headers)
        highest = np.maximum.accumulate(np.maximum(epochs, self._epoch))
        self._epoch = int(highest[-1])
        # A lower epoch: its writer had lost the partition.
        counts = (epochs == highest) & ~rows.keys.begins_with(_FENCE)
        ended = np.flatnonzero(counts & ends)
        last = int(ended[-1]) + 1 if len(ended) else 0
        counted: list[RowBlock] = []
        if last:
            kept = counts[:last].copy()
            counted = self._end_flushes(at, ended, headers.select(ended), kept)
            counted.append(rows.select(np.flatnonzero(kept)))
            self._counted_end = int(at[last - 1]) + 1
        rest = last + np.flatnonzero(counts[last:])
        if len(rest):
            self._held.append((at[rest], rows.select(rest)))
        return counted

    def _epochs(
        self, offsets: Ints, rows: RowBlock, headers: ByteColumn
    ) -> tuple[Ints, Bools]:
        """Read each row's epoch, and whether it ends a flush."""
        ends = headers.begins_with(_END_PREFIX)
        ours = ends | headers.begins_with(_ROW_PREFIX)
        ours &= rows.keys.present
        ours &= headers.size >= len(_ROW_PREFIX) + _EPOCH_BYTES.size
        if not ours.all():
            raise self._foreign(int(offsets[np.flatnonzero(~ours)[0]]))
        stamps = headers.words()[headers.at + len(_ROW_PREFIX)].astype("<u8")
        return (stamps.astype("<u4").byteswap()).astype(np.int64), ends

    def _foreign(self, offset: int) -> StateError:
        return StateError(
            f"{self._place}@{offset}: not a row of ours; the changelog topic must have "
            "no other writer"
        )

    def _end_flushes(
        self, offsets: Ints, ended: Ints, headers: ByteColumn, kept: Bools
    ) -> list[RowBlock]:
        """Unmark what the ends' ranges leave out; give what was held, without that.

        ``ended`` are the places of the ends, with their ``headers``.
        """
        held, self._held = self._held, []
        if not self._ranges and (headers.size == len(_NO_RANGES)).all():
            return [rows for _, rows in held]
        begin = 0
        for number, end in enumerate(ended.tolist()):
            self._ranges = _ranges_of(headers.value(number) or b"")
            if number == 0:
                held = [self._without(*part) for part in held]
            flush = slice(begin, end + 1)
            kept[flush] &= ~self._left_out(offsets[flush])
            begin = end + 1
        return [rows for _, rows in held]

    def _left_out(self, offsets: Ints) -> Bools:
        out = np.zeros(len(offsets), bool)
        for low, high in self._ranges:
            if high > offsets[0]:
                out |= (low <= offsets) & (offsets < high)
        return out

    def _without(self, offsets: Ints, rows: RowBlock) -> tuple[Ints, RowBlock]:
        kept = np.flatnonzero(~self._left_out(offsets))
        return offsets[kept], rows.select(kept)

    @property
    def epoch(self) -> int:
        """The highest epoch read."""
        return self._epoch

    def take_over(self, epoch: int, fence_offset: int) -> ChangelogWriter:
        """End the reading behind the own fence; what is not ended does not count."""
        ranges = self._ranges
        if self._held:
            ranges = (*ranges, (self._counted_end, fence_offset))
        self._held = []
        return ChangelogWriter(epoch, ranges)


def _pack(ranges: Ranges) -> bytes:
    return b"".join(_RANGE.pack(*r) for r in ranges[-_RANGES_KEPT:])


@lru_cache(maxsize=1)
def _ranges_of(raw_headers: bytes) -> Ranges:
    packed = decode_headers(raw_headers)[1][1]
    return tuple(_RANGE.iter_unpack(packed or b""))
