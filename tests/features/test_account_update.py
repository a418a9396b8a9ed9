"""The kernels give what one event at a time in plain Python gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from account_oracle import (
    HASHES,
    Account,
    Event,
    batch,
    cuts,
    event_lists,
    whole_minutes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.compiled import loops, plain_numpy
from streams.features.account_row import ACCOUNT_ROW, INFRASTRUCTURE_KINDS, ROW_VERSION
from streams.features.account_update import (
    begin_rows,
    first_uses,
    group_by_number,
    update_rows,
)

_BUCKETS = [0, 3, 3, 7, 1]
_SEEDS = st.integers(0, 2**60 - 1)


def _update(rows: npt.NDArray[Any], events: list[Event]) -> list[tuple[Any, ...]]:
    """Run the kernels; give what they learned of each event, in log order."""
    columns = batch(events)
    begin_rows(rows, columns)
    order = np.argsort(columns.slot, kind="stable")
    plain_rows = rows.copy()
    updated = update_rows(rows, columns.select(order), np.array(_BUCKETS))
    with plain_numpy():
        plain = update_rows(plain_rows, columns.select(order), np.array(_BUCKETS))
    assert loops()
    assert [a.tolist() for a in updated] == [a.tolist() for a in plain]
    assert rows.tobytes() == plain_rows.tobytes()
    learned = zip(
        map(tuple, updated.passed.tolist()),
        updated.events.tolist(),
        updated.templated.tolist(),
        strict=True,
    )
    placed = dict(zip(order.tolist(), learned, strict=True))
    return [placed[at] for at in range(len(events))]


@given(event_lists(), _SEEDS)
@settings(max_examples=150)
def test_rows_are_what_plain_python_counts(events: list[Event], seed: int) -> None:
    rows = np.zeros(8, ACCOUNT_ROW)
    learned = [one for part in cuts(events, seed) for one in _update(rows, part)]
    accounts: dict[int, Account] = {}
    for event, got in zip(events, learned, strict=True):
        account = accounts.setdefault(event.slot, Account(event))
        assert got == account.add(event)
    for slot, account in accounts.items():
        for name, value in account.row(_BUCKETS).items():
            assert rows[slot][name].tolist() == value, name
    others = np.delete(rows, list(accounts))
    assert others.tobytes() == bytes(others.nbytes)
    assert set(rows["version"].tolist()) == {0, ROW_VERSION}


@given(event_lists(), _SEEDS)
@settings(max_examples=50)
def test_the_cut_between_minutes_does_not_matter(
    events: list[Event], seed: int
) -> None:
    results = []
    for parts in ([events], cuts(events, seed), whole_minutes(events)):
        rows = np.zeros(8, ACCOUNT_ROW)
        results.append(([_update(rows, part) for part in parts], rows.tobytes()))
    learned = [[one for part in parts for one in part] for parts, _ in results]
    assert learned[0] == learned[1] == learned[2]
    assert len({packed for _, packed in results}) == 1


@given(event_lists(), _SEEDS, st.integers(0, 3))
@settings(max_examples=100)
def test_first_uses_are_marked_once(events: list[Event], seed: int, every: int) -> None:
    """Some events are not eligible: they neither mark nor are remembered."""
    kinds = len(INFRASTRUCTURE_KINDS)
    seen = np.zeros((8, kinds), np.uint64)
    accounts: dict[int, Account] = {}
    for part in cuts(events, seed):
        columns = batch(part)
        eligible = np.array([event.tokens % 4 >= every for event in part])
        before, plain_seen = seen.copy(), seen.copy()
        with plain_numpy():
            plain = first_uses(
                plain_seen, columns.slot, columns.infrastructure, HASHES, eligible
            )
        marked = first_uses(
            seen, columns.slot, columns.infrastructure, HASHES, eligible
        )
        assert marked.tolist() == plain.tolist()
        assert seen.tolist() == plain_seen.tolist()
        for event, is_eligible, got in zip(
            part, eligible, marked.tolist(), strict=True
        ):
            account = accounts.setdefault(event.slot, Account(event))
            expected = (False,) * kinds
            if is_eligible:
                expected = account.new_facets(event)
            assert tuple(got) == expected
        assert np.all(seen & before == before)
    used = [
        len({number for at, number in account.facets if at == kind and number >= 0})
        for account in accounts.values()
        for kind in range(kinds)
    ]
    bits = [int(word).bit_count() for slot in accounts for word in seen[slot]]
    assert bits == used


def test_a_full_filter_marks_nothing_more_and_never_twice() -> None:
    seen = np.full((1, 4), 2**64 - 1, np.uint64)
    numbers = np.array([[0, 1, 2, -1]])
    marked = first_uses(seen, np.zeros(1, np.int64), numbers, HASHES, np.ones(1, bool))
    assert not marked.any()


@given(st.lists(st.integers(0, 9), min_size=1), st.sampled_from([10, 5_000]))
def test_events_are_grouped_alike(slots: list[int], accounts: int) -> None:
    """Among many accounts sorting is cheaper than a pass over all of them."""
    slot = np.array(slots, np.int64)
    with plain_numpy():
        plain = group_by_number(slot, accounts)
    grouped = group_by_number(slot, accounts)
    assert [a.tolist() for a in grouped] == [a.tolist() for a in plain]
    assert slot[grouped[2]].tolist() == sorted(slots)
