"""Uses of facets by accounts, in columns, and their changelog rows.

A member is an account that used a facet with evidence of its own. Its row keeps what
was known of the account at that use: the facets stage sees accounts only then.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import add
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.byte_column import ByteColumn
from streams.errors import StateError
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.key_table import SEED, KeyTable
from streams.features.whole_rows import add_removed, put_rows, row_bytes, take_rows

__all__ = ["MEMBER_ROW", "MemberTable", "slots_after"]

_FIRST_CAPACITY: Final = 256
_SLOT_MINUTES: Final = 30
_SLOTS: Final = 64
_HASH_BYTES: Final = 8
_ONE: Final = np.uint64(1)

MEMBER_ROW: Final = np.dtype(
    [
        ("facet", "<u4"),  # row number of the facet
        ("account", "<u4"),  # number of the account's text
        ("owner", "<u8"),
        ("created", "<i4"),
        ("first", "<i4"),
        ("last", "<i4"),
        ("count", "<u4"),  # uses of this facet
        ("events", "<u4"),  # the account's totals at its last use
        ("templated", "<u4"),
        ("likeness", "<i2"),
        ("slots", "<u8"),  # bit i: active i half hours before ``last``
        ("infrastructure", "<u8", (len(INFRASTRUCTURE_KINDS),)),
    ]
)

Rows = npt.NDArray[np.int64]


def slots_after(
    slots: npt.NDArray[np.uint64], before: Rows, now: Rows
) -> npt.NDArray[np.uint64]:
    """Move activity bits from minute ``before`` to ``now``, and mark ``now``.

    >>> slots_after(np.array([1], "<u8"), np.array([29]), np.array([61])).tolist()
    [5]
    """
    shift = now // _SLOT_MINUTES - before // _SLOT_MINUTES
    inside = np.minimum(shift, _SLOTS - 1).astype(np.uint64)
    moved = np.where(shift < _SLOTS, np.left_shift(slots, inside), np.uint64(0))
    return np.asarray(moved | _ONE, np.uint64)


class MemberTable:
    """(facet number, account number) to a row of `MEMBER_ROW`; accounts by text."""

    def __init__(self) -> None:
        self.rows: npt.NDArray[Any] = np.zeros(_FIRST_CAPACITY, MEMBER_ROW)
        self.accounts: list[str] = []
        self.count = 0
        self._account_of: dict[str, int] = {}
        self._places = KeyTable()
        self._dirty = np.zeros(_FIRST_CAPACITY, bool)
        self._gone: set[tuple[int, str]] = set()

    def __len__(self) -> int:
        return self.count

    def account_numbers(self, accounts: Iterable[str]) -> list[int]:
        """Give the number of each account's text, a new one where it is not known."""
        known, texts = self._account_of, self.accounts
        numbers = []
        for account in accounts:
            number = known.get(account)
            if number is None:
                number = known[account] = len(texts)
                texts.append(account)
            numbers.append(number)
        return numbers

    def find(self, facets: Rows, accounts: Rows) -> Rows:
        """Give the place of each member, -1 where it is not known."""
        return self._places.find(_keys(facets, accounts))

    def add(self, facets: Rows, accounts: Rows) -> Rows:
        """Make room for distinct members that are not known; give their places."""
        places = np.arange(self.count, self.count + len(facets))
        self._places.insert(_keys(facets, accounts), places)
        self.count += len(facets)
        if self.count > len(self.rows):
            self._grow(self.count)
        self.rows["facet"][places] = facets
        self.rows["account"][places] = accounts
        return places

    def _grow(self, needed: int) -> None:
        rows = np.zeros(2 * needed, MEMBER_ROW)
        rows[: len(self.rows)] = self.rows
        dirty = np.zeros(2 * needed, bool)
        dirty[: len(self._dirty)] = self._dirty
        self.rows, self._dirty = rows, dirty

    def of_facets(self, wanted: npt.NDArray[np.bool_]) -> Rows:
        """List the places of the members of facets, given a mask by facet number."""
        return np.flatnonzero(wanted[self.rows["facet"][: self.count]])

    def touch(self, places: Rows) -> None:
        """Mark rows as changed since the last flush."""
        self._dirty[places] = True

    def texts(self, places: Rows) -> list[str]:
        """Give the accounts of members."""
        accounts = self.accounts
        return [accounts[n] for n in self.rows["account"][places].tolist()]

    def forget(self, places: Rows, hashes: npt.NDArray[np.uint64]) -> None:
        """Remove members, and accounts without any; ``hashes`` by facet number."""
        facets = hashes[self.rows["facet"][places]].tolist()
        self._gone.update(zip(facets, self.texts(places), strict=True))
        kept = np.ones(self.count, bool)
        kept[places] = False
        self._keep(np.flatnonzero(kept))
        used, numbers = np.unique(
            self.rows["account"][: self.count], return_inverse=True
        )
        self.rows["account"][: self.count] = numbers
        self.accounts = [self.accounts[number] for number in used.tolist()]
        self._account_of = {text: n for n, text in enumerate(self.accounts)}
        self._index()

    def renumber(self, moved: Rows) -> None:
        """Take new numbers of all facets; ``moved`` by old number."""
        facets = self.rows["facet"]
        facets[: self.count] = moved[facets[: self.count]]
        self._index()

    def _keep(self, places: Rows) -> None:
        rows, dirty = take_rows(self.rows, places), self._dirty[places]
        self.rows, self._dirty, self.count = rows, dirty, len(places)
        self._grow(max(len(places), _FIRST_CAPACITY))

    def _index(self) -> None:
        rows = self.rows[: self.count]
        facets, accounts = rows["facet"], rows["account"]
        self._places.replace(_keys(facets, accounts), np.arange(self.count))

    def take_dirty(
        self, hashes: npt.NDArray[np.uint64]
    ) -> tuple[list[bytes], list[bytes | None]]:
        """Give keys and bytes of changed rows, and mark them clean; None: removed.

        A key is the facet's hash, in 8 bytes, and the account in UTF-8: numbers do not
        travel. ``hashes`` are those of the facets, by number.
        """
        places = np.flatnonzero(self._dirty[: self.count])
        self._dirty[places] = False
        rows, accounts = take_rows(self.rows, places), self.accounts
        facets = row_bytes(hashes[rows["facet"]].astype("<u8"))
        texts = map(accounts.__getitem__, rows["account"].tolist())
        keys = list(map(add, facets, map(str.encode, texts)))
        rows["facet"] = rows["account"] = 0
        found: list[bytes | None] = [*row_bytes(rows)]
        if self._gone:
            gone = (
                facet.to_bytes(_HASH_BYTES, "little") + account.encode()
                for facet, account in self._gone
            )
            add_removed(keys, found, gone)
            self._gone.clear()
        return keys, found

    def restore(
        self, facets: Rows, account_ids: ByteColumn, packed: ByteColumn
    ) -> None:
        """Set rows by facet number and account; `StateError` on another layout."""
        size = MEMBER_ROW.itemsize
        if (packed.size != size).any():
            raise StateError(
                "a member's row has another layout: the changelog was written by "
                "another version; start with a new app_id"
            )
        # An account uses several facets: each text is looked up once.
        which, first = KeyTable().find_or_number(account_ids.hashes(SEED), 0)
        texts = account_ids.select(first).texts()
        numbers = self.account_numbers(text for text in texts if text is not None)
        accounts = np.array(numbers, np.int64)[which]
        places = self.add(facets, accounts)
        rows = packed.matrix(size).view(MEMBER_ROW)[:, 0]
        rows["facet"], rows["account"] = facets, accounts
        put_rows(self.rows, places, rows)


def _keys(facets: npt.NDArray[Any], accounts: npt.NDArray[Any]) -> Any:
    return facets.astype(np.uint64) << np.uint64(32) | accounts.astype(np.uint64)
