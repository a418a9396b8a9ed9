"""A policy is written so that it is read again, and compared table by table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.policy.ladder import LADDER, RUNGS, Step
from streams.policy.policy import DAYS, Caps, Policy, QuietHours, Scenario
from streams.policy.policy_file import default_policy, parse_policy
from streams.policy.policy_text import (
    Difference,
    differences,
    policy_dict,
    policy_toml,
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_SHARES = st.floats(0, 1)
_CONDITIONS = st.sampled_from(
    ["true", "", "account.uses > 3", 'account.id == "\\\\ \\"" && time.hour < 6']
)
_CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
_DAYS = st.lists(st.sampled_from(DAYS), unique=True, min_size=1).map(tuple)


@st.composite
def ladders(draw: st.DrawFn) -> tuple[Step, ...]:
    rungs = draw(st.sets(st.sampled_from(RUNGS), min_size=1))
    lasts = st.lists(st.integers(1, 60_000), min_size=len(rungs), max_size=len(rungs))
    return tuple(
        draw(
            st.builds(
                Step,
                rung=st.just(rung),
                uses=st.integers(1, 10**6),
                e_value=st.floats(1, 1e300),
                confirmations=st.integers(1, 99),
                minutes=st.just(minutes),
                parameters=st.dictionaries(
                    _TEXT.filter(lambda key: key != "requests_per_minute"),
                    _TEXT,
                    max_size=2,
                ),
                human_review=st.booleans(),
                when=_CONDITIONS,
            )
        )
        for rung, minutes in zip(
            sorted(rungs, key=RUNGS.index), sorted(draw(lasts)), strict=True
        )
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    names = draw(st.lists(_TEXT, unique=True, min_size=1, max_size=3))
    scenarios = [
        draw(
            st.builds(
                Scenario,
                name=st.just(name),
                # One that always holds may come last only.
                when=st.just("account.uses > 1")
                if at + 1 < len(names)
                else _CONDITIONS,
                mode=st.sampled_from(["shadow", "enforce", "inherit"]),
                percentage=st.floats(0, 100),
                subject_types=st.just(("account", "campaign")),
                ladder=ladders(),
                direct=st.booleans(),
                repeat_factor=st.floats(1, 100),
                max_minutes=st.integers(60_000, 10**6),
            )
        )
        for at, name in enumerate(names)
    ]
    caps = st.builds(
        Caps,
        actions_per_hour=st.none() | st.integers(0, 10**6),
        actions_per_hour_and_owner=st.none() | st.integers(0, 10**6),
        traffic_share=st.none() | _SHARES,
    )
    quiet = st.builds(
        QuietHours,
        start=_CLOCK,
        end=_CLOCK,
        max_rung=st.sampled_from(RUNGS),
        days=_DAYS,
    )
    return Policy(
        version=draw(_TEXT),
        scenarios=tuple(scenarios),
        caps=draw(caps),
        quiet_hours=tuple(draw(st.lists(quiet, max_size=2))),
        cool_off_minutes=draw(st.integers(0, 10**6)),
        daily_budget=draw(st.floats(0, 1e9, exclude_min=True)),
        watched_share=draw(_SHARES),
    )


@given(policies())
def test_what_is_written_is_read_again(policy: Policy) -> None:
    again = parse_policy(policy_toml(policy), place="again")
    assert again == policy
    assert differences(policy, again) == []
    assert policy_toml(again) == policy_toml(policy)


@given(policies(), policies())
def test_differences_are_told_from_both_sides(one: Policy, other: Policy) -> None:
    there, back = differences(one, other), differences(other, one)
    turned = {Difference(path, new, old) for path, old, new in there}
    assert set(back) == turned
    assert len({path for path, _, _ in there}) == len(there)
    assert bool(there) == (one != other)


DEFAULT = default_policy().scenarios[0]
replace = msgspec.structs.replace


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": "2"}, [("version", "default-2", "2")]),
        ({"caps": Caps(traffic_share=None)}, [("caps.traffic_share", "0.5", "none")]),
        (
            {"caps": Caps(actions_per_hour=7)},
            [("caps.actions_per_hour", "2000", "7")],
        ),
        ({"cool_off_minutes": 60}, [("cool_off", "7d", "1h")]),
        (
            {"scenarios": (replace(DEFAULT, direct=True),)},
            [("scenario[default].direct", "false", "true")],
        ),
    ],
)
def test_one_change_is_one_difference(
    changes: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    old = default_policy()
    assert differences(old, replace(old, **changes)) == expected


def test_a_scenario_put_first_leaves_the_others_as_they_were() -> None:
    young = Scenario(name="young", when="account.age_days < 7", ladder=LADDER[:1])
    old = default_policy()
    new = replace(old, scenarios=(young, DEFAULT))
    found = differences(old, new)
    assert found[:3] == [
        ("scenario order", "", "young, default"),
        ("scenario[young]", "", "a scenario"),
        ("scenario[young].when", "", "account.age_days < 7"),
    ]
    # Its ladder has no step that the default has not, but it is another ladder.
    assert {path.rpartition(".")[0] for path, *_ in found[3:]} == {
        "scenario[young].ladder[observe]"
    }
    turned = replace(old, scenarios=(DEFAULT, young))
    assert differences(new, turned) == [
        ("scenario order", "young, default", "default, young")
    ]


def test_a_scenario_with_nothing_of_its_own_is_told_all_the_same() -> None:
    old = Policy(version="1", scenarios=(Scenario(name="a"),))
    assert differences(old, replace(old, scenarios=(Scenario(name="b"),))) == [
        ("scenario[b]", "", "a scenario"),
        ("scenario[a]", "a scenario", ""),
    ]


def test_a_step_that_is_gone_is_told_last_and_by_its_rung() -> None:
    shorter = replace(DEFAULT, ladder=(*LADDER[:2], *LADDER[3:]), percentage=10)
    found = differences(default_policy(), Policy(version="2", scenarios=(shorter,)))
    assert [each.path for each in found[:2]] == [
        "version",
        "scenario[default].percentage",
    ]
    gone = found[2:]
    assert all(
        path.startswith("scenario[default].ladder[challenge].") for path, *_ in gone
    )
    assert all(new == "" for *_, new in gone)


def test_the_dictionary_has_every_key_of_the_file() -> None:
    written = policy_dict(default_policy())
    assert written["caps"]["actions_per_hour_and_owner"] == "none"
    assert written["scenario"][0]["ladder"][1]["parameters"] == {
        "requests_per_minute": "6"
    }
