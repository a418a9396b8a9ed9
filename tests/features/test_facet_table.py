"""Fillings counted in bitmaps, and rows of facets that come back as they were."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import StateError
from streams.features.facet_table import (
    FILLING_BITS,
    KNOWN_OWNERS,
    MAX_FILLING_SAMPLES,
    FacetTable,
    distinct_shares,
)

_TEMPLATE, _NETWORK = 0, 5
_KEYS = st.lists(st.integers(1, 60), min_size=1, max_size=40)


def table_of(keys: list[int]) -> FacetTable:
    table = FacetTable()
    kinds = np.array([_NETWORK if key % 3 else _TEMPLATE for key in keys], np.uint8)
    numbers = table.numbers(np.array(keys, np.uint64), kinds)
    for number, key in zip(numbers.tolist(), keys, strict=True):
        table.rows["degree"][number] = key
        table.names[number] = f"name-{key}" if key % 3 else ""
        if key % 3 == 0:
            table.add_fillings(np.array([number]), np.array([key], np.uint64))
    table.touch(numbers)
    return table


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("samples", [50, 500, MAX_FILLING_SAMPLES])
def test_the_share_of_distinct_fillings_is_estimated(
    share: float, samples: int
) -> None:
    source = random.Random(samples)  # noqa: S311 - a test's data
    distinct = [source.getrandbits(64) for _ in range(max(int(samples * share), 1))]
    fillings = np.array([distinct[at % len(distinct)] for at in range(samples)], "<u8")
    table = FacetTable()
    number = table.numbers(np.ones(1, np.uint64), np.zeros(1, np.uint8))
    numbers = np.repeat(number, samples)
    ones = table.add_fillings(numbers, fillings).sum()
    assert ones == len({filling % FILLING_BITS for filling in distinct})
    assert not table.add_fillings(numbers, fillings).any()
    [estimate] = distinct_shares(np.array([samples]), np.array([ones]))
    assert estimate == pytest.approx(len(distinct) / samples, abs=0.05)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(0, 40))
def test_the_cut_of_fillings_does_not_matter(fillings: list[int], cut: int) -> None:
    whole, parts = FacetTable(), FacetTable()
    found = []
    for table, sizes in (
        (whole, [fillings]),
        (parts, [fillings[:cut], fillings[cut:]]),
    ):
        number = table.numbers(np.ones(1, np.uint64), np.zeros(1, np.uint8))
        fresh = [
            table.add_fillings(np.repeat(number, len(some)), np.array(some, np.uint64))
            for some in sizes
        ]
        table.touch(number)
        found.append((np.concatenate(fresh).tolist(), list(table.take_dirty())))
    assert found[0] == found[1]


@given(_KEYS, st.data())
def test_rows_come_back_and_forgotten_ones_do_not(
    keys: list[int], data: st.DataObject
) -> None:
    table = table_of(keys)
    log = list(table.take_dirty())
    assert [key for key, _ in log] == sorted(set(keys))
    gone = data.draw(st.sets(st.sampled_from(keys)))
    numbers = table.find(np.array(sorted(gone), np.uint64))
    before = table.rows["hash"][: len(table)].copy()
    moved = table.forget(numbers)
    assert np.array_equal(table.rows["hash"][moved[moved >= 0]], before[moved >= 0])
    assert (moved[numbers] == -1).all()
    dirty = dict(table.take_dirty())
    assert dirty == dict.fromkeys(gone)
    other = FacetTable()
    other.restore(log)
    other.restore(dirty.items())
    for one in (table, other):
        one.touch(np.arange(len(one)))
        assert dict(one.take_dirty()) == {k: row for k, row in log if k not in gone}
    back = table.numbers(np.array(keys, np.uint64), np.zeros(len(keys), np.uint8))
    fresh = [key in gone for key in keys]
    assert (table.rows["degree"][back] == 0).tolist() == fresh


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=30))
def test_owners_are_counted_anew(pairs: list[tuple[int, int]]) -> None:
    table = FacetTable()
    numbers = table.numbers(np.arange(3, dtype=np.uint64), np.zeros(3, np.uint8))
    facets = np.array([facet for facet, _ in pairs], np.int64)
    table.recount(numbers, facets, np.array([owner for _, owner in pairs], np.uint64))
    for facet in range(3):
        owners = sorted({owner for at, owner in pairs if at == facet})
        row = table.rows[facet]
        assert row["members"] == sum(at == facet for at, _ in pairs)
        assert row["owners"] == min(len(owners), KNOWN_OWNERS + 1)
        known = sorted(set(row["known"].tolist()) - {0})
        assert known == (owners if len(owners) <= KNOWN_OWNERS else [])


def test_a_row_of_another_layout_is_refused() -> None:
    [(key, packed)] = table_of([1]).take_dirty()
    assert packed is not None
    for other in (b"\x90", packed.replace(b"\xc4", b"\xc5"), b"\x95\xc4\x00" * 3):
        with pytest.raises(StateError, match="another"):
            FacetTable().restore([(key, other)])
