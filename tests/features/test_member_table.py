"""Members are found by facet and account, move with their facets, and come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.byte_column import ByteColumn
from streams.errors import StateError
from streams.features.member_table import MemberTable, slots_after

_PAIRS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 9)), unique=True, min_size=1
)
_HASHES = np.arange(100, 106, dtype=np.uint64)


def put(table: MemberTable, pairs: list[tuple[int, int]]) -> np.ndarray:
    accounts = table.account_numbers(f"account-{account}" for _, account in pairs)
    facets = np.array([facet for facet, _ in pairs], np.int64)
    places = table.add(facets, np.array(accounts, np.int64))
    table.rows["count"][places] = [10 * facet + account for facet, account in pairs]
    table.touch(places)
    return places


def contents(table: MemberTable) -> dict[tuple[int, str], int]:
    rows = table.rows[: len(table)]
    texts = table.texts(np.arange(len(table)))
    keys = zip(rows["facet"].tolist(), texts, strict=True)
    return dict(zip(keys, rows["count"].tolist(), strict=True))


def _dirty(table: MemberTable) -> dict[tuple[int, str], bytes | None]:
    keys, rows = table.take_dirty(_HASHES)
    facets = [int.from_bytes(key[:8], "little") - 100 for key in keys]
    accounts = [key[8:].decode() for key in keys]
    return dict(zip(zip(facets, accounts, strict=True), rows, strict=True))


@given(_PAIRS, st.data())
def test_members_are_found_forgotten_and_restored(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    table = MemberTable()
    places = put(table, pairs)
    truth = {(f, f"account-{a}"): 10 * f + a for f, a in pairs}
    assert contents(table) == truth
    log = _dirty(table)
    gone = data.draw(st.sets(st.sampled_from(range(len(pairs)))))
    if gone:
        table.forget(places[sorted(gone)], _HASHES)
    left = {key: n for at, (key, n) in enumerate(truth.items()) if at not in gone}
    assert contents(table) == left
    assert set(table.accounts) == {account for _, account in left} or not gone
    numbers = dict(zip(table.accounts, range(len(table.accounts)), strict=True))
    for facet, account in left:
        [place] = table.find(np.array([facet]), np.array([numbers[account]]))
        assert table.rows["count"][place] == truth[facet, account]
    tombstones = _dirty(table)
    assert all(row is None for row in tombstones.values())
    assert tombstones.keys() == {*truth} - {*left}
    other = MemberTable()
    other.restore(
        np.array([facet for facet, _ in left], np.int64),
        ByteColumn.of(account for _, account in left),
        ByteColumn.of(log[key] for key in left),
    )
    assert contents(other) == left
    back = [pair for at, pair in enumerate(pairs) if at in gone]
    if back:
        put(table, back)
    assert contents(table) == truth


@given(_PAIRS)
def test_members_move_with_their_facets(pairs: list[tuple[int, int]]) -> None:
    table = MemberTable()
    put(table, pairs)
    moved = np.array([5, 4, 3, 2, 1, 0])
    table.renumber(moved)
    assert contents(table) == {(5 - f, f"account-{a}"): 10 * f + a for f, a in pairs}


@given(st.lists(st.integers(0, 3000), min_size=1))
def test_slots_are_the_active_half_hours(minutes: list[int]) -> None:
    minutes = sorted(minutes)
    slots, last = np.zeros(1, np.uint64), np.array(minutes[:1])
    for minute in minutes:
        slots = slots_after(slots, last, np.array([minute]))
        last = np.array([minute])
    newest = minutes[-1] // 30
    active = {newest - minute // 30 for minute in minutes}
    assert slots.tolist() == [sum(1 << age for age in active if age < 64)]


def test_a_row_of_another_layout_is_refused() -> None:
    with pytest.raises(StateError, match="another layout"):
        MemberTable().restore(
            np.array([0]), ByteColumn.of(["account"]), ByteColumn.of([b"short"])
        )
