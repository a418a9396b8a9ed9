"""The table of accounts: numbers, growth, dirty rows, restoration."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.byte_column import ByteColumn
from streams.errors import StateError
from streams.features.account_row import ACCOUNT_ROW, ROW_VERSION
from streams.features.account_table import AccountTable

_IDS = st.lists(st.text("abé\x00", min_size=1, max_size=2), max_size=20)
_Change = tuple[str, bytes | None]


def _touched(table: AccountTable, ids: list[str], events: int) -> None:
    slots = table.slots(ids)
    table.rows["version"][slots] = ROW_VERSION
    table.rows["events"][slots] = events
    table.touch(slots)


@given(st.lists(_IDS, max_size=5))
def test_an_account_keeps_its_number(batches: list[list[str]]) -> None:
    table = AccountTable()
    for ids in batches:
        slots = table.slots(ids).tolist()
        assert [table.ids[slot] for slot in slots] == ids
        assert [table.slot_of(account) for account in ids] == slots
    known = {account for ids in batches for account in ids}
    assert len(table) == len(known)
    assert sorted(table.ids) == sorted(known)
    assert table.slot_of("unknown") is None


@given(st.lists(st.tuples(_IDS, st.integers(1, 99)), max_size=5))
@settings(max_examples=50)
def test_dirty_rows_restore_the_table(flushes: list[tuple[list[str], int]]) -> None:
    table, copy = AccountTable(), AccountTable()
    log = []
    for ids, events in flushes:
        _touched(table, ids, events)
        dirty = _dirty(table)
        assert {account for account, _ in dirty} == set(ids)
        assert _dirty(table) == []
        log += dirty
    _restore(copy, log)  # at once: the last row of an account must win
    assert dict(_rows(copy)) == dict(_rows(table))
    assert _dirty(copy) == []


def _dirty(table: AccountTable) -> list[_Change]:
    ids, packed = table.take_dirty()
    return list(zip((each.decode() for each in ids), packed, strict=True))


def _restore(table: AccountTable, changes: Iterable[_Change]) -> None:
    ids, packed = [], []
    for account_id, row in changes:
        ids.append(account_id)
        packed.append(row)
    table.restore(ByteColumn.of(ids), ByteColumn.of(packed))


def _rows(table: AccountTable) -> list[tuple[str, bytes]]:
    return [(name, table.rows[slot].tobytes()) for slot, name in enumerate(table.ids)]


@given(_IDS, st.data())
def test_forgotten_accounts_start_afresh(ids: list[str], data: st.DataObject) -> None:
    table = AccountTable()
    _touched(table, ids, 7)
    log = _dirty(table)
    known = list(table.ids)
    gone = data.draw(st.sets(st.sampled_from(known))) if known else set()
    cleared = data.draw(st.sets(st.sampled_from(known))) - gone if known else set()
    before = {name: table.slot_of(name) for name in known}
    table.clear(table.slots(sorted(cleared)))
    moved = table.forget(table.slots(sorted(gone)))
    for name, slot in before.items():
        assert slot is not None
        assert moved[slot] == (-1 if name in gone else table.slot_of(name))
    tombstones = dict(_dirty(table))
    assert tombstones == dict.fromkeys(gone | cleared)
    copy = AccountTable()
    _restore(copy, log)
    _restore(copy, tombstones.items())
    left = {name: row for name, row in _rows(table) if name not in cleared}
    assert dict(_rows(copy)) == left
    slots = table.slots(known)
    assert sorted(set(slots.tolist())) == list(range(len(known)))
    afresh = table.rows["events"][slots] == 0
    assert afresh.tolist() == [name in gone | cleared for name in known]


def test_growth_keeps_rows_and_dirty_marks() -> None:
    table = AccountTable()
    first = len(table.rows)
    _touched(table, [str(n) for n in range(first)], 7)
    _touched(table, [f"more-{n}" for n in range(3 * first)], 8)
    assert len(table.rows) >= 4 * first
    counts = np.bincount(table.rows["events"][: len(table)])
    assert counts[7] == first
    assert counts[8] == 3 * first
    packed = _dirty(table)
    assert len(packed) == 4 * first
    copy = AccountTable()
    _restore(copy, packed)
    assert _rows(copy) == _rows(table)


def test_rows_of_another_version_are_refused() -> None:
    row = np.zeros(1, ACCOUNT_ROW)
    row["version"] = ROW_VERSION + 1
    with pytest.raises(StateError, match="new app_id"):
        _restore(AccountTable(), [("a", row.tobytes())])
    with pytest.raises(StateError, match=r"not \d+ bytes long"):
        _restore(AccountTable(), [("a", row.tobytes() + b"\x00")])
    _restore(AccountTable(), [])
