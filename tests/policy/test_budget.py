"""However many tests are taken, a day's levels add up to less than its budget."""

from __future__ import annotations

import math
from collections import defaultdict

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.policy.budget import (
    DAILY_BUDGET,
    EARNED_BY_A_FIND,
    MOST_EARNED,
    SHARE_AT_MIDNIGHT,
    SHARE_OF_A_TEST,
    Budget,
    due,
    earned,
)

_DAY = 1440


@given(st.lists(st.integers(0, 900), min_size=1, max_size=200))
def test_levels_of_a_day_never_pass_the_budget(steps: list[int]) -> None:
    budget, minute = Budget(), 0
    spent: dict[int, list[float]] = defaultdict(list)
    for step in steps:
        minute += step
        told = budget.level(minute)
        assert budget.next_level(minute) == told > 0
        spent[minute // _DAY].append(told)
        assert math.isclose(
            budget.left(minute), DAILY_BUDGET - math.fsum(spent[minute // _DAY])
        )
    for day, levels in spent.items():
        assert math.fsum(levels) < DAILY_BUDGET
        assert Budget().level(day * _DAY) <= levels[0] < Budget().level(day * _DAY - 1)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=200),
    st.floats(0.01, 5),
)
def test_a_day_spends_less_than_its_budget_and_what_its_finds_earned(
    steps: list[tuple[int, bool]], daily: float
) -> None:
    budget, minute = Budget(), 0
    spent: dict[int, list[float]] = defaultdict(list)
    finds: dict[int, int] = defaultdict(int)
    for step, found in steps:
        minute += step
        day = minute // _DAY
        spent[day].append(budget.next_level(minute, daily))
        least = SHARE_OF_A_TEST * (due(minute, day, daily) - math.fsum(spent[day]))
        before = budget.level(minute, daily)
        assert before >= least - 1e-12
        if found:
            budget.note_find()
            finds[day] += 1
            more = budget.level(minute, daily) - before
            most = SHARE_OF_A_TEST * EARNED_BY_A_FIND * daily
            assert -1e-12 <= more <= most + 1e-12
        held = daily + earned(finds[day], daily) - math.fsum(spent[day])
        assert math.isclose(budget.left(minute, daily), held)
    for day, levels in spent.items():
        share = min(EARNED_BY_A_FIND * finds[day], MOST_EARNED)
        assert math.fsum(levels) < daily * (1 + share)


def test_finds_are_of_their_day() -> None:
    budget = Budget()
    budget.next_level(3 * _DAY)
    for _ in range(99):
        budget.note_find()
    assert math.isclose(
        budget.level(3 * _DAY + 5),
        SHARE_OF_A_TEST
        * (due(3 * _DAY + 5, 3) + MOST_EARNED * DAILY_BUDGET - budget.spent),
    )
    assert budget.level(4 * _DAY) == Budget().level(4 * _DAY)
    budget.next_level(4 * _DAY)
    assert budget.finds == 0


@given(st.integers(1, 3000))
def test_levels_follow_the_number_of_tests(tests: int) -> None:
    budget = Budget()
    levels = [budget.next_level(number * _DAY // tests) for number in range(tests)]
    assert math.fsum(levels) < DAILY_BUDGET
    # Of hundreds of tests in a day each gets its part of what falls due over the day.
    fair = DAILY_BUDGET * (1 - SHARE_AT_MIDNIGHT) / tests
    assert tests < 1000 or math.isclose(levels[-1], fair, rel_tol=0.1)


def test_a_burst_leaves_the_rest_of_the_day_its_part() -> None:
    budget = Budget()
    total = math.fsum(budget.next_level(7) for _ in range(20_000))
    assert math.isclose(total, due(7, 0))
    assert budget.level(7) < 1e-9
    later = SHARE_OF_A_TEST * (due(727, 0) - due(7, 0))
    assert math.isclose(budget.level(727), later, rel_tol=1e-6)


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
