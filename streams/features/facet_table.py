"""Rolling state of the facets of one partition, in columns, and its changelog rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from streams.errors import StateError
from streams.features.account_row import TEMPLATE_KINDS
from streams.features.key_table import KeyTable
from streams.features.whole_rows import put_rows, row_bytes, take_rows

__all__ = [
    "FACET_ROW",
    "FAMILY_COUNT",
    "FILLING_BITS",
    "KNOWN_OWNERS",
    "MAX_FILLING_SAMPLES",
    "FacetTable",
    "distinct_shares",
]

FILLING_BITS: Final = 4096
"""Bits of the linear-counting bitmap of fillings, 512 bytes a template."""

MAX_FILLING_SAMPLES: Final = 3000
"""Samples after which the bitmap is left alone: at a load of 0.73 its estimate still
has a standard error under 2 % (Whang et al. 1990, table 1)."""

FAMILY_COUNT: Final = 5
"""Families whose uses are counted; see `streams.models.families`."""

KNOWN_OWNERS: Final = 4
"""Owners a facet remembers by name: one fewer than the most that a rule asks for."""

_FIRST_CAPACITY: Final = 256
_NEVER: Final = np.iinfo(np.int32).max

FACET_ROW: Final = np.dtype(
    [
        ("hash", "<u8"),
        ("kind", "u1"),
        ("suspect", "?"),
        ("owners", "u1"),  # distinct owners, up to one more than are known
        ("known", "<u8", (KNOWN_OWNERS,)),
        ("first", "<i4"),
        ("last", "<i4"),
        ("degree", "<u4"),  # accounts that used it, with or without evidence
        ("traffic", "<u8"),  # uses, with or without evidence
        ("exchanges", "<u8"),  # uses with evidence
        ("samples", "<u2"),  # fillings taken, up to MAX_FILLING_SAMPLES
        ("ones", "<u2"),  # bits of the bitmap that are set
        ("members", "<u4"),
        ("families", "<u8", (FAMILY_COUNT,)),
    ]
)


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """A facet's changelog row."""

    row: bytes
    fillings: bytes
    name: str


_DISTINCT: Final = np.array(
    [
        -FILLING_BITS * math.log((FILLING_BITS - ones) / FILLING_BITS) or 0.0
        for ones in range(FILLING_BITS)
    ]
)
"""Estimate of distinct fillings by bits set. Python's logarithm, so that it is the same
on every processor."""


def distinct_shares(
    samples: npt.NDArray[Any], ones: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Estimate what share of sampled fillings were distinct, 0 to 1.

    By linear counting (Whang et al. 1990), from the bits that are set.

    >>> distinct_shares(np.array([4, 0]), np.array([3, 0])).round(2).tolist()
    [0.75, 0.0]
    """
    share = _DISTINCT[ones] / np.maximum(samples, 1)
    return np.asarray(np.minimum(share, 1.0), np.float64)


class FacetTable:
    """Facet hash to a row of `FACET_ROW`, with what has no fixed size beside it."""

    def __init__(self) -> None:
        self.rows: npt.NDArray[Any] = np.zeros(_FIRST_CAPACITY, FACET_ROW)
        self.names: list[str] = []
        self._bitmap_of = np.full(_FIRST_CAPACITY, -1, np.int32)
        self._bitmaps = np.zeros((_FIRST_CAPACITY, FILLING_BITS // 8), np.uint8)
        self._bitmap_count = 0
        self._numbers = KeyTable()
        self._dirty = np.zeros(_FIRST_CAPACITY, bool)
        self._gone: set[int] = set()

    def __len__(self) -> int:
        return len(self.names)

    def numbers(
        self, hashes: npt.NDArray[np.uint64], kinds: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int64]:
        """Give the row number of each facet, a new one where it is not known."""
        found = self._numbers.find(hashes)
        unknown = np.flatnonzero(found < 0)
        if len(unknown):
            fresh, first, which = np.unique(
                hashes[unknown], return_index=True, return_inverse=True
            )
            found[unknown] = self._add(fresh, kinds[unknown[first]])[which]
        return found

    def find(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Give the row number of each facet, -1 where it is not known."""
        return self._numbers.find(hashes)

    def _add(
        self, hashes: npt.NDArray[np.uint64], kinds: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int64]:
        numbers = np.arange(len(self.names), len(self.names) + len(hashes))
        self._numbers.insert(hashes, numbers)
        self.names += [""] * len(hashes)
        if len(self.names) > len(self.rows):
            self._grow(len(self.names))
        rows = np.zeros(len(hashes), FACET_ROW)
        rows["hash"], rows["kind"], rows["first"] = hashes, kinds, _NEVER
        put_rows(self.rows, numbers, rows)
        templates = numbers[kinds < len(TEMPLATE_KINDS)]
        end = self._bitmap_count + len(templates)
        if end > len(self._bitmaps):
            more = np.zeros((2 * end, FILLING_BITS // 8), np.uint8)
            more[: self._bitmap_count] = self._bitmaps[: self._bitmap_count]
            self._bitmaps = more
        self._bitmap_of[numbers] = -1
        self._bitmap_of[templates] = np.arange(self._bitmap_count, end)
        self._bitmap_count = end
        if self._gone:
            self._gone.difference_update(hashes.tolist())
        return numbers

    def _grow(self, needed: int) -> None:
        rows = np.zeros(2 * needed, FACET_ROW)
        rows[: len(self.rows)] = self.rows
        bitmap_of = np.full(2 * needed, -1, np.int32)
        bitmap_of[: len(self._bitmap_of)] = self._bitmap_of
        dirty = np.zeros(2 * needed, bool)
        dirty[: len(self._dirty)] = self._dirty
        self.rows, self._bitmap_of, self._dirty = rows, bitmap_of, dirty

    def add_fillings(
        self, numbers: npt.NDArray[np.int64], exact: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.bool_]:
        """Set the bits of fillings of templates; tell which were not set before."""
        place = (exact % np.uint64(FILLING_BITS)).astype(np.int64)
        bitmap = self._bitmap_of[numbers].astype(np.int64)
        byte, mask = place >> 3, np.left_shift(1, place & 7).astype(np.uint8)
        fresh: npt.NDArray[np.bool_] = (self._bitmaps[bitmap, byte] & mask) == 0
        _, first = np.unique(bitmap * FILLING_BITS + place, return_index=True)
        again = np.ones(len(place), bool)
        again[first] = False
        fresh[again] = False
        np.bitwise_or.at(self._bitmaps, (bitmap[fresh], byte[fresh]), mask[fresh])
        return fresh

    def recount(
        self,
        numbers: npt.NDArray[np.int64],
        facets: npt.NDArray[Any],
        owners: npt.NDArray[np.uint64],
    ) -> None:
        """Count the members of facets anew, and their distinct owners.

        ``facets`` and ``owners`` are those of all members that these facets have.
        """
        rows = self.rows
        members = np.bincount(facets, minlength=len(self.names))
        rows["members"][numbers] = members[numbers]
        known: dict[int, set[int]] = {number: set() for number in numbers.tolist()}
        for number, owner in zip(facets.tolist(), owners.tolist(), strict=True):
            known[number].add(owner)
        for number, some in known.items():
            rows["owners"][number] = min(len(some), KNOWN_OWNERS + 1)
            rows["known"][number] = 0
            if some and len(some) <= KNOWN_OWNERS:
                rows["known"][number, -len(some) :] = sorted(some)
        self.touch(numbers)

    def touch(self, numbers: npt.NDArray[np.int64]) -> None:
        """Mark rows as changed since the last flush."""
        self._dirty[numbers] = True

    def forget(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Remove facets; give the new number of every old one, -1 for the removed."""
        count = len(self.names)
        kept = np.ones(count, bool)
        kept[numbers] = False
        self._gone.update(self.rows["hash"][numbers].tolist())
        stay = np.flatnonzero(kept)
        moved = np.full(count, -1, np.int64)
        moved[stay] = np.arange(len(stay))
        self.names = [self.names[number] for number in stay.tolist()]
        bitmap_of = self._bitmap_of[stay]
        with_bitmap = bitmap_of >= 0
        bitmaps = self._bitmaps[bitmap_of[with_bitmap]]
        bitmap_of[with_bitmap] = np.arange(len(bitmaps))
        self._bitmap_count = len(bitmaps)
        self._bitmaps = np.concatenate([bitmaps, np.zeros_like(self._bitmaps[:1])])
        rows, dirty = take_rows(self.rows, stay), self._dirty[stay]
        self.rows, self._bitmap_of, self._dirty = rows, bitmap_of, dirty
        self._grow(max(len(stay), _FIRST_CAPACITY))
        self._numbers.replace(rows["hash"], np.arange(len(stay)))
        return moved

    def take_dirty(self) -> list[tuple[int, bytes | None]]:
        """Give (hash, packed row) of the changed facets; None for those removed."""
        numbers = np.flatnonzero(self._dirty[: len(self.names)])
        self._dirty[numbers] = False
        rows = row_bytes(take_rows(self.rows, numbers))
        bitmaps = map(self._packed_bitmap, self._bitmap_of[numbers].tolist())
        names = map(self.names.__getitem__, numbers.tolist())
        packed = map(msgspec.msgpack.encode, zip(rows, bitmaps, names, strict=True))
        hashes = self.rows["hash"][numbers].tolist()
        dirty: list[tuple[int, bytes | None]] = [*zip(hashes, packed, strict=True)]
        dirty += [(key, None) for key in sorted(self._gone)]
        self._gone.clear()
        return dirty

    def _packed_bitmap(self, bitmap: int) -> bytes:
        return self._bitmaps[bitmap].tobytes() if bitmap >= 0 else b""

    def restore(self, rows: Iterable[tuple[int, bytes | None]]) -> None:
        """Set rows from what `take_dirty` gave; `StateError` on another layout."""
        last = dict(rows)
        gone = [key for key, packed in last.items() if packed is None]
        known = self._numbers.find(np.array(gone, np.uint64))
        if (known >= 0).any():
            self.forget(known[known >= 0])
        self._gone.clear()
        read = [_unpack(packed) for packed in last.values() if packed is not None]
        if not read:
            return
        table = np.frombuffer(b"".join(one.row for one in read), FACET_ROW)
        numbers = self.numbers(table["hash"], table["kind"])
        put_rows(self.rows, numbers, table)
        for number, one in zip(numbers.tolist(), read, strict=True):
            self.names[number] = one.name
            if one.fillings:
                bits = np.frombuffer(one.fillings, np.uint8)
                self._bitmaps[self._bitmap_of[number]] = bits


def _unpack(packed: bytes) -> _Packed:
    try:
        one = msgspec.msgpack.decode(packed, type=_Packed)
    except msgspec.MsgspecError:
        one = _Packed(b"", b"", "")
    if len(one.row) != FACET_ROW.itemsize:
        raise StateError(
            "a facet's row has another layout: the changelog was written by another "
            "version; start with a new app_id"
        )
    return one
