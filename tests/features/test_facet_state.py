"""Fillings counted in a bitmap, and the half hours of a member."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.features.facet_state import (
    FILLING_BITS,
    MAX_FILLING_SAMPLES,
    FacetState,
    FillingSketch,
    Member,
    distinct_share,
)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("samples", [50, 500, MAX_FILLING_SAMPLES])
def test_the_share_of_distinct_fillings_is_estimated(
    share: float, samples: int
) -> None:
    source = random.Random(samples)  # noqa: S311 - a test's data
    distinct = [source.getrandbits(64) for _ in range(max(int(samples * share), 1))]
    sketch = FillingSketch()
    for at in range(samples):
        sketch.add(distinct[at % len(distinct)])
    assert sketch.samples == samples
    estimate = distinct_share(sketch.samples, sketch.ones())
    assert estimate == pytest.approx(len(distinct) / samples, abs=0.05)


def test_a_full_bitmap_is_left_alone() -> None:
    sketch = FillingSketch()
    for filling in range(MAX_FILLING_SAMPLES + 100):
        sketch.add(filling)
    assert sketch.samples == sketch.ones() == MAX_FILLING_SAMPLES
    assert MAX_FILLING_SAMPLES < FILLING_BITS  # so that the logarithm is finite


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_the_order_of_fillings_does_not_matter(fillings: list[int]) -> None:
    one, other = FillingSketch(), FillingSketch()
    for filling in fillings:
        one.add(filling)
    for filling in reversed(fillings):
        other.add(filling)
    assert one == other
    assert 0.0 <= distinct_share(one.samples, one.ones()) <= 1.0


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 5)), min_size=1))
def test_slots_are_the_active_half_hours(uses: list[tuple[int, int]]) -> None:
    uses = sorted(uses)
    member = Member(owner=1, created=-1, first=uses[0][0], last=uses[0][0])
    for minute, count in uses:
        member.use(minute, count)
    newest = uses[-1][0] // 30
    active = {newest - minute // 30 for minute, _ in uses}
    assert member.slots == sum(1 << age for age in active if age < 64)
    assert member.count == sum(count for _, count in uses)
    assert member.last == uses[-1][0]


def test_state_survives_its_encoding() -> None:
    state = FacetState(0, "", 10, 20, hours=[(0, {"large": 3})])
    state.fillings.add(2**63)
    packed = msgspec.msgpack.encode(state)
    assert msgspec.msgpack.decode(packed, type=FacetState) == state
    assert FacetState(0, "", 1, 1).hours is not FacetState(0, "", 1, 1).hours
