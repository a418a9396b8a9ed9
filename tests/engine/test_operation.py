"""Budgets of a day are shared out, and canaries counted within one."""

from __future__ import annotations

import math

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.operation import Operation
from streams.models.reference import STRATA
from streams.policy.budget import WEIGHT_OF_A_TEST
from streams.policy.policy import Policy

_POLICY = Policy(version="tests", daily_budget=0.4, watched_share=0.25)


@given(st.lists(st.tuples(st.sampled_from(STRATA), st.booleans()), max_size=200))
def test_tests_with_and_without_indicators_share_one_budget(
    tests: list[tuple[str, bool]],
) -> None:
    operation = Operation()
    levels = [
        operation.purse(_POLICY, stratum, watched=watched, reserved=True).spend(5)
        for stratum, watched in tests
    ]
    assert math.fsum(levels) < _POLICY.daily_budget
    left = operation.purse(_POLICY, "sharing", watched=False, reserved=True).left(5)
    spent = math.fsum(
        level for level, (_, watched) in zip(levels, tests, strict=True) if not watched
    )
    assert math.isclose(left + spent, 0.75 * _POLICY.daily_budget)


def test_nothing_is_kept_back_while_there_are_no_indicators() -> None:
    purse = Operation().purse(_POLICY, "sharing", watched=False, reserved=False)
    assert purse.daily == _POLICY.daily_budget


@given(st.sampled_from(STRATA), st.integers(0, 5000), st.booleans())
def test_a_level_follows_the_weight_of_its_test(
    stratum: str, minute: int, watched: bool
) -> None:
    operation = Operation()
    whole, part = (
        operation.purse(_POLICY, each, watched=watched, reserved=True)
        for each in ("sharing", stratum)
    )
    weight = WEIGHT_OF_A_TEST[stratum]
    assert math.isclose(part.level(minute), weight * whole.level(minute))
    assert math.isclose(part.fresh_level, weight * whole.fresh_level)
    level = part.level(minute)
    assert part.spend(minute) == level
    assert math.isclose(whole.left(minute), whole.daily - level)


def test_every_stratum_has_a_weight() -> None:
    assert WEIGHT_OF_A_TEST.keys() == {*STRATA}
    assert max(WEIGHT_OF_A_TEST.values()) == 1.0


def test_alarms_of_canaries_count_for_a_day() -> None:
    operation = Operation()
    assert [operation.note_canary_alarm(m) for m in (0, 10, 1440, 1450)] == [1, 2, 2, 2]


def test_it_survives_its_encoding() -> None:
    operation = Operation(notices=3, fallen_back=True)
    operation.note_canary_alarm(7)
    operation.traffic.add(60, 9)
    operation.breakers.count(60, 1, adds=4)
    packed = msgspec.msgpack.encode(operation)
    assert msgspec.msgpack.decode(packed, type=Operation) == operation
    assert operation.next_notice() == 4
