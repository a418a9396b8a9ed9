"""All account rows of one partition: look-up, growth, dirty rows, restoration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.byte_column import ByteColumn
from streams.errors import StateError
from streams.features.account_row import ACCOUNT_ROW, ROW_VERSION
from streams.features.key_table import SEED, KeyTable
from streams.features.segments import last_of_each
from streams.features.text_arena import TextArena
from streams.features.whole_rows import add_removed, put_rows, row_bytes, take_rows
from streams.features.zero_pages import zero_pages

__all__ = ["AccountTable"]

_FIRST_CAPACITY: Final = 1024
"""Rows allocated at first; doubled when full, so growth costs O(1) a row."""


class AccountTable:
    """Account id to a row of `ACCOUNT_ROW` in one numpy array.

    >>> table = AccountTable()
    >>> table.slots(["a", "b", "a"]).tolist()
    [0, 1, 0]
    >>> len(table)
    2
    """

    def __init__(self) -> None:
        self.rows: npt.NDArray[Any] = np.zeros(_FIRST_CAPACITY, ACCOUNT_ROW)
        self.texts = TextArena()
        self._slots = KeyTable()
        self._dirty = np.zeros(_FIRST_CAPACITY, bool)
        self._gone: set[str] = set()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def ids(self) -> list[str]:
        """All account ids, in the order of their rows."""
        return self.texts.texts(np.arange(len(self)))

    def slots(self, account_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Give the row number of each account, a new one where it is not known."""
        return self.slots_of(ByteColumn.of(account_ids))

    def slots_of(self, account_ids: ByteColumn) -> npt.NDArray[np.int64]:
        """Give the row number of each account of a column, as `slots` does."""
        slots, new = self._slots.find_or_number(account_ids.hashes(SEED), len(self))
        if len(new):
            self.texts.append(account_ids.select(new))
            if len(self) > len(self.rows):
                self._grow(2 * len(self))
        return slots

    def slot_of(self, account_id: str) -> int | None:
        """Give the row number of a known account, else None."""
        key = ByteColumn.of([account_id]).hashes(SEED)
        slot = int(self._slots.find(key)[0])
        return None if slot < 0 else slot

    def _grow(self, capacity: int) -> None:
        rows = zero_pages(capacity, ACCOUNT_ROW)
        rows[: len(self.rows)] = self.rows
        dirty = zero_pages(capacity, bool)
        dirty[: len(self._dirty)] = self._dirty
        self.rows, self._dirty = rows, dirty

    def touch(self, slots: npt.NDArray[np.int64]) -> None:
        """Mark rows as changed since the last flush."""
        self._dirty[slots] = True

    def forget(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Remove accounts; give the new number of every old row, -1 for the removed."""
        kept = np.ones(len(self), bool)
        kept[slots] = False
        self._gone.update(self.texts.texts(slots))
        stay = np.flatnonzero(kept)
        moved = np.full(len(self), -1, np.int64)
        moved[stay] = np.arange(len(stay))
        self.rows, self._dirty = take_rows(self.rows, stay), self._dirty[stay]
        self.texts.keep(stay)
        self._grow(max(len(stay), _FIRST_CAPACITY))
        self._slots.renumber(moved)
        return moved

    def clear(self, slots: npt.NDArray[np.int64]) -> None:
        """Let accounts start afresh, whose rows are still asked for."""
        self.rows[slots] = np.zeros(1, ACCOUNT_ROW)
        self.touch(slots)

    def take_dirty(self) -> tuple[list[bytes], list[bytes | None]]:
        """Give account ids, in UTF-8, and bytes of the changed rows; mark them clean.

        None stands for the bytes of an account that was removed.
        """
        slots = np.flatnonzero(self._dirty[: len(self)])
        self._dirty[slots] = False
        rows = take_rows(self.rows, slots)
        ids = self.texts.values(slots)
        found: list[bytes | None] = [*row_bytes(rows)]
        for number in np.flatnonzero(rows["version"] == 0).tolist():
            found[number] = None
        if self._gone:
            add_removed(ids, found, (each.encode() for each in self._gone))
            self._gone.clear()
        return ids, found

    def restore(self, account_ids: ByteColumn, packed: ByteColumn) -> None:
        """Set rows from what `take_dirty` gave; `StateError` on another layout.

        Of several rows of an account the last one counts.
        """
        if not len(packed.at):
            return
        present, size = packed.present, ACCOUNT_ROW.itemsize
        wrong = np.flatnonzero(present & (packed.size != size))
        if len(wrong):
            raise StateError(
                f"the row of account {account_ids.text(int(wrong[0]))!r} is not {size} "
                f"bytes long: the changelog was written by another version; start with "
                f"a new app_id"
            )
        slots = self.slots_of(account_ids)
        gone = slots[:0]
        if not present.all():
            final = last_of_each(slots, len(self))
            gone, slots = slots[final & ~present], slots[final & present]
            packed = packed.select(final & present)
        table = packed.matrix(size).view(ACCOUNT_ROW)[:, 0]
        if np.any(table["version"] != ROW_VERSION):
            raise StateError(
                f"account rows are not of layout version {ROW_VERSION}; "
                f"start with a new app_id"
            )
        put_rows(self.rows, slots, table)
        if len(gone):
            self.forget(gone)
            self._gone.clear()
