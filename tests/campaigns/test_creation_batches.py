"""Accounts opened together surprise; a rush, chance and small groups do not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from streams.campaigns.creation_batches import (
    batch_pairs,
    batched_accounts,
    others_within,
    surprise,
)

minutes = st.lists(st.integers(0, 5000), min_size=1, max_size=80)


@given(minutes, st.integers(0, 1440), st.data())
def test_others_are_counted_on_either_side(
    created: list[int], within: int, data: st.DataObject
) -> None:
    minute = data.draw(st.sampled_from(created))
    near = sum(abs(each - minute) <= within for each in created) - 1
    assert others_within(sorted(created), minute, within) == near


@given(minutes, st.sampled_from([360, 1440]), st.integers(0, 10**6))
def test_both_are_shares_and_tell_no_date(
    created: list[int], window: int, later: int
) -> None:
    created = sorted(created)
    moved = [minute + later for minute in created]
    for measure in (batched_accounts, batch_pairs):
        assert 0 <= measure(created, window) <= 1
        assert measure(moved, window) == measure(created, window)


@pytest.mark.parametrize("measure", [batched_accounts, batch_pairs])
def test_more_batches_surprise_more(measure: object) -> None:
    assert callable(measure)
    told = []
    for count in range(4):
        alone = [100_000 + 10_000 * n for n in range(12 - 3 * count)]
        batches = [5000 * n + at for n in range(count) for at in (0, 9, 20)]
        told.append(measure(batches + alone, 360))
    assert told[0] == 0
    assert told == sorted(set(told))
    assert measure([], 360) == measure([7], 360) == 0


@given(st.integers(1, 60), st.data())
def test_surprise_bounds_the_improbability(trials: int, data: st.DataObject) -> None:
    found = data.draw(st.integers(0, trials))
    chance = data.draw(st.floats(0.01, 0.99))
    exact = binom.sf(found - 1, trials, chance)
    assert surprise(found, trials, trials * chance) <= -math.log10(exact) + 1e-9
