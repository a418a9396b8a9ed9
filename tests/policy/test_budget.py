"""However many tests are taken, a day's levels add up to less than its budget."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.policy.budget import DAILY_BUDGET, Budget

_DAY = 1440


@given(st.lists(st.integers(0, 900), min_size=1, max_size=200))
def test_levels_of_a_day_never_pass_the_budget(steps: list[int]) -> None:
    budget, minute = Budget(), 0
    spent: dict[int, list[float]] = defaultdict(list)
    for step in steps:
        minute += step
        told = budget.level(minute)
        assert budget.next_level(minute) == told
        spent[minute // _DAY].append(told)
    for levels in spent.values():
        assert math.fsum(levels) < DAILY_BUDGET
        assert levels == sorted(levels, reverse=True)
        assert levels[0] == Budget().level(0)


def test_the_series_telescopes_to_the_budget() -> None:
    budget = Budget()
    total = sum(Fraction(budget.next_level(7)) for _ in range(20_000))
    assert 0.99 * DAILY_BUDGET < total < DAILY_BUDGET


def test_telling_a_level_spends_nothing() -> None:
    budget = Budget()
    assert len({budget.level(3) for _ in range(9)}) == 1
    assert budget == Budget()


@given(st.integers(0, 50), st.integers(1, 9))
def test_a_late_minute_of_a_past_day_is_paid_by_the_present(
    tests: int, back: int
) -> None:
    budget = Budget()
    for _ in range(tests + 1):
        budget.next_level(10 * _DAY)
    assert budget.level((10 - back) * _DAY) == budget.level(10 * _DAY)
    budget.next_level((10 - back) * _DAY)
    assert (budget.day, budget.tests) == (10, tests + 2)


def test_a_budget_survives_its_encoding() -> None:
    budget = Budget()
    budget.next_level(5 * _DAY)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(budget), type=Budget)
    assert again == budget
    assert again.next_level(5 * _DAY) == budget.next_level(5 * _DAY)
