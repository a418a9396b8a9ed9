"""What a policy answers: who is enforced, for how long, and when nobody is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Rung
from streams.errors import PolicyError
from streams.policy.conditions import Context, context_at
from streams.policy.ladder import LADDER, RUNGS, Step
from streams.policy.policy import DAYS, Policy, QuietHours, Scenario

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SUBJECTS = st.text(max_size=30).map("account:{}".format)


def context(**account: Any) -> Context:
    values = dict.fromkeys(
        ("uses", "e_value", "events", "templated_share", "likeness", "age_days"), 1
    )
    group = dict.fromkeys(
        ("accounts", "exchanges", "e_value", "confirmations", "age_hours"), 1
    )
    return context_at(
        0,
        {"id": "a", "rung": "", **values, **account},
        {"id": "dc-1", "families": [], "pivots": [], **group},
    )


@given(SUBJECTS, st.floats(0, 100), st.floats(0, 100))
def test_raising_the_percentage_never_removes_a_subject(
    subject: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    before = Scenario(name="a", percentage=low).includes(subject)
    after = Scenario(name="a", percentage=high).includes(subject)
    assert after >= before
    # Neither the name nor anything else of a scenario matters.
    assert Scenario(name="b", percentage=low, direct=True).includes(subject) == before


@given(SUBJECTS)
def test_none_and_all_are_exact(subject: str) -> None:
    assert not Scenario(name="none", percentage=0).includes(subject)
    assert Scenario(name="all", percentage=100).includes(subject)


@pytest.mark.parametrize("percentage", [1, 10, 37.5, 90])
def test_the_share_is_that_percentage(percentage: float) -> None:
    scenario = Scenario(name="a", percentage=percentage)
    inside = sum(scenario.includes(f"account:{n:08x}") for n in range(20_000))
    assert abs(inside / 200 - percentage) < 1


def test_the_subjects_of_a_rollout_are_the_same_for_good() -> None:
    tenth = Scenario(name="a", percentage=10)
    inside = [n for n in range(60) if tenth.includes(f"account:{n}")]
    assert inside == [11, 23, 38, 58]


@given(
    st.sampled_from(["shadow", "enforce", "inherit"]),
    st.sampled_from([0.0, 50.0, 100.0]),
    st.sampled_from(["shadow", "enforce"]),
    SUBJECTS,
)
def test_the_most_cautious_of_all_modes_wins(
    own: Any, percentage: float, allowed: Any, subject: str
) -> None:
    scenario = Scenario(name="a", mode=own, percentage=percentage)
    enforced = own != "shadow" and allowed == "enforce" and scenario.includes(subject)
    assert scenario.mode_of(subject, allowed) == ("enforce" if enforced else "shadow")


@given(st.floats(1, 100), st.integers(1, 10_000), st.integers(0, 200))
def test_a_repeated_action_lasts_longer_up_to_the_longest(
    factor: float, longest: int, repeats: int
) -> None:
    step = Step("observe", uses=1, e_value=1, confirmations=1, minutes=1)
    scenario = Scenario(name="a", repeat_factor=factor, max_minutes=longest)
    lasts = [scenario.minutes_of(step, each) for each in range(repeats + 1)]
    assert lasts == sorted(lasts)
    assert lasts[0] == 1
    assert max(lasts) <= longest
    if factor >= 2 and repeats > 14:
        assert lasts[-1] == longest


def test_without_a_factor_a_repeat_lasts_as_long_as_the_first() -> None:
    assert Scenario(name="a").minutes_of(LADDER[0], 10**12) == LADDER[0].minutes


HOURS = st.builds(
    "{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)
) | st.sampled_from(["00:00", "12:00"])
QUIET = st.builds(
    QuietHours,
    start=HOURS,
    end=HOURS,
    max_rung=st.sampled_from(RUNGS),
    days=st.lists(st.sampled_from(DAYS), unique=True, min_size=1).map(tuple),
)


def within(hours: QuietHours, minute: int) -> bool:
    """Walk back, minute by minute, to where such hours could have begun."""
    lasts = int(hours.end[:2]) * 60 + int(hours.end[3:])
    lasts -= int(hours.start[:2]) * 60 + int(hours.start[3:])
    lasts = lasts if lasts > 0 else lasts + 1440
    moment = EPOCH + dt.timedelta(minutes=minute)
    for back in range(lasts):
        began = moment - dt.timedelta(minutes=back)
        if f"{began:%H:%M}" == hours.start:
            return f"{began:%a}".lower() in hours.days
    return False


@given(QUIET, st.integers(1440, 60_000_000), st.sampled_from(RUNGS))
def test_quiet_hours_are_those_of_the_calendar(
    hours: QuietHours, minute: int, rung: Rung
) -> None:
    above = RUNGS.index(rung) > RUNGS.index(hours.max_rung)
    assert hours.within(minute) == within(hours, minute)
    assert hours.holds(minute, rung) == (above and within(hours, minute))


def test_hours_that_wrap_belong_to_the_day_on_which_they_begin() -> None:
    friday = QuietHours(start="22:00", end="06:00", max_rung="observe", days=("fri",))
    begins = int(dt.datetime(2026, 5, 1, 22, tzinfo=dt.UTC).timestamp()) // 60
    held = [m for m in range(begins - 2880, begins + 2880) if friday.within(m)]
    assert held == list(range(begins, begins + 8 * 60))


@given(st.lists(QUIET, max_size=3), st.integers(1440, 20_000), st.sampled_from(RUNGS))
def test_any_of_several_quiet_hours_holds_back(
    several: list[QuietHours], minute: int, rung: Rung
) -> None:
    policy = Policy(version="1", quiet_hours=tuple(several))
    held = any(each.holds(minute, rung) for each in several)
    assert policy.holds_back(minute, rung) == held
    assert not policy.holds_back(minute, "observe")


def test_the_first_scenario_that_holds_decides() -> None:
    many = Scenario(name="many", when="account.uses > 10")
    some = Scenario(name="some", when="account.uses > 5")
    facets = Scenario(name="facets", subject_types=("facet",))
    policy = Policy(version="1", scenarios=(facets, many, some))
    chosen = [policy.scenario_for(context(uses=uses)) for uses in (11, 6, 5)]
    assert chosen == [many, some, None]
    assert policy.scenario_for(context(), subject_type="facet") == facets


def test_a_condition_that_cannot_be_told_does_not_hold_and_is_told() -> None:
    broken = Scenario(name="broken", when="1 / (account.uses - 7) > 0")
    policy = Policy(version="1", scenarios=(broken, Scenario(name="rest")))
    heard: list[PolicyError] = []
    chosen = policy.scenario_for(context(uses=7), on_error=heard.append)
    assert chosen is not None
    assert chosen.name == "rest"
    assert "division by zero" in str(heard[0])
    assert policy.scenario_for(context(uses=7)) == chosen


def test_only_a_condition_makes_a_policy_conditional() -> None:
    step = Step("observe", 1, 1, 1, 60, when="account.uses > 3")
    assert not Policy(version="1").conditional
    assert Policy(
        version="1", scenarios=(Scenario(name="a", when="false"),)
    ).conditional
    assert Policy(
        version="1", scenarios=(Scenario(name="a", ladder=(step,)),)
    ).conditional
