"""All account rows of one partition: look-up, growth, dirty rows, restoration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.errors import StateError
from streams.features.account_row import ACCOUNT_ROW, ROW_VERSION

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
        self.ids: list[str] = []
        self._slot_of: dict[str, int] = {}
        self._dirty = np.zeros(_FIRST_CAPACITY, bool)

    def __len__(self) -> int:
        return len(self.ids)

    def slots(self, account_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Give the row number of each account, a new one where it is not known."""
        found = self._slot_of
        slots = [found.get(account_id, -1) for account_id in account_ids]
        result = np.array(slots, np.int64)
        for index in np.flatnonzero(result < 0).tolist():
            result[index] = self._slot(account_ids[index])
        return result

    def slot_of(self, account_id: str) -> int | None:
        """Give the row number of a known account, else None."""
        return self._slot_of.get(account_id)

    def _slot(self, account_id: str) -> int:
        slot = self._slot_of.get(account_id)
        if slot is None:
            slot = self._slot_of[account_id] = len(self.ids)
            self.ids.append(account_id)
            if slot >= len(self.rows):
                self._grow()
        return slot

    def _grow(self) -> None:
        capacity = 2 * len(self.rows)
        rows = np.zeros(capacity, ACCOUNT_ROW)
        rows[: len(self.rows)] = self.rows
        dirty = np.zeros(capacity, bool)
        dirty[: len(self._dirty)] = self._dirty
        self.rows, self._dirty = rows, dirty

    def touch(self, slots: npt.NDArray[np.int64]) -> None:
        """Mark rows as changed since the last flush."""
        self._dirty[slots] = True

    def take_dirty(self) -> Iterator[tuple[str, bytes]]:
        """Yield (account id, row bytes) of the changed rows and mark them clean."""
        slots = np.flatnonzero(self._dirty[: len(self.ids)])
        self._dirty[slots] = False
        packed = self.rows[slots].tobytes()
        size = ACCOUNT_ROW.itemsize
        for number, slot in enumerate(slots.tolist()):
            yield self.ids[slot], packed[number * size : (number + 1) * size]

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Set rows from their bytes; raise `StateError` on another layout."""
        pairs = list(rows)
        if not pairs:
            return
        size = ACCOUNT_ROW.itemsize
        packed = b"".join(value for _, value in pairs)
        wrong = next((key for key, value in pairs if len(value) != size), None)
        if wrong is not None:
            raise StateError(
                f"the row of account {wrong!r} is not {size} bytes long: the changelog "
                f"was written by another version; start with a new app_id"
            )
        table = np.frombuffer(packed, ACCOUNT_ROW)
        if np.any(table["version"] != ROW_VERSION):
            raise StateError(
                f"account rows are not of layout version {ROW_VERSION}; "
                f"start with a new app_id"
            )
        # A key may occur more than once in a batch: numpy keeps the last on assignment.
        slots = self.slots([key for key, _ in pairs])
        self.rows[slots] = table
