"""A hash table from 64-bit keys to row numbers that takes whole columns at once.

Python's dict costs a hundred nanoseconds and a hundred bytes a key, one key at a time.
Here a column of keys is looked up with a handful of numpy operations, and a key takes
12 bytes of a table that is a third to two thirds full.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import loops

__all__ = ["SEED", "KeyTable"]

SEED: Final = hash("distillwatch") & (1 << 62) - 1
"""Seed of the hashes that ids are looked up by. It differs between processes, as that
of Python's own dicts does, so that nobody can make ids that collide. No result depends
on it."""

_FIRST_CAPACITY: Final = 1024
_MOST_FILLED: Final = 0.7
"""Share of places taken before the table doubles: some two places are looked at for a
key that is there, and three for one that is not (Knuth, section 6.4)."""

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
"""Fibonacci hashing (Knuth, The Art of Computer Programming 3, section 6.4)."""

_WORD: Final = 64

Keys = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]


class KeyTable:
    """Open addressing with triangular probes; keys are distinct, rows count from 0.

    >>> table = KeyTable()
    >>> table.insert(np.array([7, 9], "<u8"), np.array([0, 1]))
    >>> table.find(np.array([9, 8, 7], "<u8")).tolist()
    [1, -1, 0]
    """

    def __init__(self) -> None:
        self._clear(_FIRST_CAPACITY)

    def _clear(self, capacity: int) -> None:
        self._keys = np.zeros(capacity, np.uint64)
        self._rows = np.full(capacity, -1, np.int32)
        self._mask = capacity - 1
        self._shift = np.uint64(_WORD - self._mask.bit_length())
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def places(self) -> tuple[Keys, npt.NDArray[np.int32], np.uint64, np.uint64]:
        """Keys and rows by place, and what places follow from, as `key_loops` wants.

        A key begins to look at ``key * third >> fourth``, and goes on by one place more
        each time; a row of -1 ends its way.
        """
        return self._keys, self._rows, _MIX, self._shift

    def find(self, keys: Keys) -> Rows:
        """Give the row of each key, -1 where it is not known."""
        if loops():
            return self._find_with_loop(keys)[0]
        found = np.full(len(keys), -1, np.int64)
        left = np.arange(len(keys))
        at = self._home(keys)
        step = 0
        while len(left):
            rows = self._rows[at]
            same = (self._keys[at] == keys) & (rows >= 0)
            found[left[same]] = rows[same]
            on = np.flatnonzero((rows >= 0) & ~same)
            step += 1
            left, keys, at = left[on], keys[on], (at[on] + step) & self._mask
        return found

    def _find_with_loop(self, keys: Keys) -> tuple[Rows, int]:
        """Find as `find` does; count the keys that are not known."""
        from streams.features.key_loops import find_loop  # noqa: PLC0415  loads numba

        found = np.empty(len(keys), np.int64)
        return found, find_loop(np.ascontiguousarray(keys), *self.places, found)

    def insert(self, keys: Keys, rows: Rows) -> None:
        """Add distinct keys that are not known, with their rows."""
        self._make_room(self._count + len(keys))
        self._put(keys, rows.astype(np.int32))
        self._count += len(keys)

    def renumber(self, moved: Rows) -> None:
        """Give every row its new number, by the old one; -1 removes its key."""
        taken = np.flatnonzero(self._rows >= 0)
        keys, rows = self._keys[taken], moved[self._rows[taken]]
        self.replace(keys[rows >= 0], rows[rows >= 0])

    def find_or_number(self, keys: Keys, known: int) -> tuple[Rows, Rows]:
        """Find rows, and number unknown keys from ``known`` on, as they first occur.

        Returns the rows, and for each new row the place where its key first occurs.
        """
        if loops():
            return self._number_with_loop(keys, known)
        found = self.find(keys)
        unknown = np.flatnonzero(found < 0)
        if not len(unknown):
            return found, unknown
        fresh, first, which = np.unique(
            keys[unknown], return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = known + np.arange(len(order))
        self.insert(fresh, rank)
        found[unknown] = rank[which]
        return found, unknown[first[order]]

    def _number_with_loop(self, keys: Keys, known: int) -> tuple[Rows, Rows]:
        from streams.features.key_loops import number_loop  # noqa: PLC0415  loads numba

        found, unknown = self._find_with_loop(keys)
        first = np.empty(unknown, np.int64)
        if unknown:
            self._make_room(self._count + unknown)
            table = self._keys, self._rows, _MIX, self._shift
            new = number_loop(np.ascontiguousarray(keys), *table, known, found, first)
            self._count += new
            first = first[:new]
        return found, first

    def replace(self, keys: Keys, rows: Rows) -> None:
        """Start anew with distinct keys: that is how keys are removed."""
        self._clear(_FIRST_CAPACITY)
        self.insert(keys, rows)

    def _home(self, keys: Keys) -> Rows:
        return ((keys * _MIX) >> self._shift).astype(np.int64)

    def _make_room(self, needed: int) -> None:
        if needed > _MOST_FILLED * len(self._keys):
            self._grow(needed)

    def _put(self, keys: Keys, rows: npt.NDArray[np.int32]) -> None:
        if loops():
            from streams.features.key_loops import put_loop  # noqa: PLC0415  loads numba

            table = self._keys, self._rows, _MIX, self._shift
            put_loop(np.ascontiguousarray(keys), rows, *table)
            return
        at = self._home(keys)
        step = 0
        while len(keys):
            free = np.flatnonzero(self._rows[at] < 0)
            # Of several keys that want one place, the last one gets it.
            self._rows[at[free]] = rows[free]
            self._keys[at[free]] = keys[free]
            on = np.flatnonzero(self._rows[at] != rows)
            step += 1
            keys, rows, at = keys[on], rows[on], (at[on] + step) & self._mask

    def _grow(self, needed: int) -> None:
        capacity = len(self._keys)
        while needed > _MOST_FILLED * capacity:
            capacity *= 2
        taken = np.flatnonzero(self._rows >= 0)
        keys, rows = self._keys[taken], self._rows[taken]
        self._clear(capacity)
        self._put(keys, rows)
        self._count = len(keys)
