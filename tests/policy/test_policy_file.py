"""A policy file is read whole or refused with its place and the way out."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import PolicyError
from streams.policy.budget import DAILY_BUDGET
from streams.policy.ladder import LADDER, POLICY_VERSION
from streams.policy.policy import Caps, Policy, QuietHours, Scenario
from streams.policy.policy_file import default_policy, parse_policy
from streams.policy.policy_text import policy_dict

VERSION = 'version = "2"\n'
SCENARIO = VERSION + '[[scenario]]\nname = "a"\n'
STEP = """\
[[scenario.ladder]]
rung = "throttle"
uses = 3
e_value = 100
confirmations = 1
duration = "2h"
"""
QUIET = VERSION + '[[quiet_hours]]\nstart = "22:00"\n'


def shipped() -> str:
    return (resources.files("streams.policy") / "default.toml").read_text("utf-8")


def test_the_shipped_policy_is_the_ladder_of_the_code() -> None:
    policy = default_policy()
    assert policy.version == POLICY_VERSION == "default-2"
    (scenario,) = policy.scenarios
    assert scenario.ladder == LADDER
    assert (scenario.mode, scenario.percentage) == ("inherit", 100)
    assert policy.caps == Caps(
        actions_per_hour=2000, actions_per_hour_and_owner=None, traffic_share=0.5
    )
    assert policy.quiet_hours == ()
    assert policy.daily_budget == DAILY_BUDGET
    assert not policy.conditional
    assert default_policy() is policy


def test_the_shipped_file_shows_every_key_with_its_default() -> None:
    shown, canonical = tomllib.loads(shipped()), policy_dict(default_policy())
    assert set(canonical) - set(shown) == {"quiet_hours"}
    assert set(canonical["scenario"][0]) == set(shown["scenario"][0])
    assert set(canonical["caps"]) == set(shown["caps"])
    # What the file says is what a file that says nothing means.
    assert parse_policy('version = "default-2"', place="x") == default_policy()
    assert parse_policy(SCENARIO, place="x").scenarios == (Scenario(name="a"),)
    assert Policy(version="default-2") == default_policy()


def test_the_example_in_a_comment_of_the_shipped_file_works() -> None:
    lines = re.findall(r"^# ?(\[\[quiet_hours\]\]|\w+ = .*)$", shipped(), re.MULTILINE)
    (hours,) = parse_policy(VERSION + "\n".join(lines), place="x").quiet_hours
    assert hours == QuietHours(
        start="22:00",
        end="06:00",
        max_rung="throttle",
        days=("mon", "tue", "wed", "thu", "fri"),
    )


def test_a_whole_file() -> None:
    text = f"""
        version = "eu-7"
        daily_budget = 1
        watched_share = 0.5
        cool_off = "36h"
        [caps]
        actions_per_hour = "none"
        actions_per_hour_and_owner = 5
        [[quiet_hours]]
        start = "20:30"
        end = "07:00"
        max_rung = "label"
        [[scenario]]
        name = "young"
        when = "account.age_days >= 0 && account.age_days < 7"
        mode = "shadow"
        percentage = 12.5
        direct = true
        repeat_factor = 2
        max_duration = "10d"
        {STEP}
        parameters = {{ requests_per_minute = 6, region = "eu" }}
        when = "campaign.accounts > 100"
        [[scenario]]
        name = "rest"
    """
    policy = parse_policy(text, place="eu.toml")
    young, rest = policy.scenarios
    assert policy.caps == Caps(
        actions_per_hour=None, actions_per_hour_and_owner=5, traffic_share=0.5
    )
    assert (policy.cool_off_minutes, policy.daily_budget) == (2160, 1.0)
    assert (young.percentage, young.direct, young.max_minutes) == (12.5, True, 14400)
    (step,) = young.ladder
    assert (step.minutes, step.when) == (120, "campaign.accounts > 100")
    assert step.parameters == {"requests_per_minute": "6", "region": "eu"}
    assert rest == Scenario(name="rest")
    assert policy.conditional


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = ", "p.toml: it is no TOML: Invalid value"),
        ("version = '1'\nversion = '2'", "p.toml: it is no TOML: Cannot overwrite"),
        ("", "p.toml: version is missing"),
        ("version = 1", "p.toml: version = 1: expected text, got a whole number"),
        ('version = ""', "p.toml: version = '': expected text of length >= 1"),
        (VERSION + "caps = 3", "p.toml: caps = 3: expected a table"),
        (VERSION + "cap.x = 3", "p.toml: there is no key cap; did you mean caps?"),
        (VERSION + "[caps]\nper_hour = 3", "caps.per_hour; did you mean actions_per_h"),
        (VERSION + "daily_budget = nan", "p.toml: daily_budget = nan"),
        (VERSION + "daily_budget = inf", "p.toml: daily_budget = inf"),
        (VERSION + "daily_budget = 0", "daily_budget = 0: expected a number > 0"),
        (
            VERSION + "watched_share = 1.1",
            "watched_share = 1.1: expected a number <= 1",
        ),
        (VERSION + 'cool_off = "1w"', "p.toml: cool_off: '1w' is no duration; write"),
        (VERSION + "[caps]\ntraffic_share = 5", "caps.traffic_share = 5: expected"),
        (
            VERSION + '[caps]\ntraffic_share = "no"',
            "p.toml: caps.traffic_share = 'no': write a number, or \"none\" for no",
        ),
        (VERSION + "[caps]\nactions_per_hour = -1", "caps.actions_per_hour = -1"),
        (VERSION + "scenario = []", "p.toml: scenario: expected a list of length >= 1"),
        (VERSION + "[[scenario]]", "p.toml: scenario[0].name is missing"),
        (SCENARIO + 'mode = "shdow"', "'shdow': did you mean shadow? known: shadow, e"),
        (SCENARIO + "percentage = 101", "scenario[0].percentage = 101: expected a num"),
        (SCENARIO + "percentage = inf", "p.toml: scenario[0].percentage = inf"),
        (SCENARIO + "subject_types = []", "scenario[0].subject_types: expected a list"),
        (
            SCENARIO + 'subject_types = ["acount"]',
            "subject_types[0] = 'acount': did yo",
        ),
        (
            SCENARIO + 'subject_types = ["account", "account"]',
            "scenario[0].subject_types: 'account' is there twice",
        ),
        (SCENARIO + "repeat_factor = 0.5", "repeat_factor = 0.5: expected a number >="),
        (
            SCENARIO + 'max_duration = "1d"',
            "ladder[2].duration: 3d is longer than max_",
        ),
        (
            SCENARIO + STEP + STEP.replace("throttle", "suspend").replace("2h", "1h"),
            "ladder[1].duration: 1h is shorter than 2h, that of throttle: climbing",
        ),
        (SCENARIO + 'when = "account.use > 1"', "p.toml: scenario[0].when: condition"),
        (SCENARIO + 'when = "account.uses >"', "character 15"),
        (SCENARIO + "ladder = []", "p.toml: scenario[0].ladder: expected a list of le"),
        (SCENARIO + '[[scenario]]\nname = "a"', "p.toml: scenario: 'a' is there twice"),
        (
            SCENARIO + '[[scenario]]\nname = "b"',
            "p.toml: scenario[1]: b is never reached, since scenario[0] (a) always",
        ),
        (SCENARIO + STEP + STEP, "ladder[1].rung: throttle does not come after thrott"),
        (
            SCENARIO + STEP + STEP.replace("throttle", "observe"),
            "p.toml: scenario[0].ladder[1].rung: observe does not come after throttle",
        ),
        (
            SCENARIO + STEP + STEP + STEP.replace("throttle", "thrttle"),
            "p.toml: scenario[0].ladder[2].rung = 'thrttle': did you mean throttle?",
        ),
        (SCENARIO + STEP + "paramters = {}", "paramters; did you mean parameters?"),
        (SCENARIO + STEP + 'when = "1"', "p.toml: scenario[0].ladder[0].when: condit"),
        (SCENARIO + STEP.replace("2h", "0m"), "ladder[0].duration: an action lasts at"),
        (SCENARIO + STEP.replace("= 3", "= 0"), "scenario[0].ladder[0].uses = 0: expe"),
        (SCENARIO + STEP.replace("= 100", "= 0.5"), "ladder[0].e_value = 0.5: expecte"),
        (
            SCENARIO + STEP + "parameters = { requests_per_minute = 0 }",
            "ladder[0].parameters.requests_per_minute: '0' is no number above 0",
        ),
        (
            SCENARIO + STEP + 'parameters = { requests_per_minute = "six" }',
            "ladder[0].parameters.requests_per_minute: 'six' is no number above 0",
        ),
        (QUIET + 'max_rung = "label"', "p.toml: quiet_hours[0].end is missing"),
        (
            QUIET + 'end = "24:00"\nmax_rung = "label"',
            "p.toml: quiet_hours[0].end = '24:00' is no time of day; write 22:00",
        ),
        (QUIET + 'end = "6:00"\nmax_rung = "label"', "'6:00' is no time of day"),
        (
            QUIET + 'end = "06:00"\nmax_rung = "label"\ndays = ["monday"]',
            "p.toml: quiet_hours[0].days[0] = 'monday': did you mean mon?",
        ),
        (
            QUIET + 'end = "06:00"\nmax_rung = "label"\ndays = ["mon", "mon"]',
            "p.toml: quiet_hours[0].days: 'mon' is there twice",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_the_way_out(
    text: str, told: str
) -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(text, place="p.toml")
    assert told in str(error.value)
    assert str(error.value).startswith("p.toml: ")
    assert "\n" not in str(error.value)


def test_scenarios_for_other_subjects_hide_nothing() -> None:
    text = SCENARIO + 'subject_types = ["facet"]\n[[scenario]]\nname = "b"'
    assert [s.name for s in parse_policy(text, place="x").scenarios] == ["a", "b"]


@given(st.text())
def test_no_text_at_all_ends_in_another_error(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^x: "):
        parse_policy(text, place="x")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "rung", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(st.sampled_from(sorted(policy_dict(default_policy()))), _VALUES)
def test_no_value_at_all_ends_in_another_error(key: str, value: object) -> None:
    text = f"{key} = {_inline(value)}\n"
    try:
        parse_policy(text if key == "version" else VERSION + text, place="x")
    except PolicyError as error:
        assert str(error).startswith("x: ")  # noqa: PT017  some values are good


def _inline(value: object) -> str:
    match value:
        case None:
            return "1979-05-27"
        case bool():
            return str(value).lower()
        case str():
            return f"'''{value}'''" if "'" not in value else '"quoted"'
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case dict():
            return f"{{{', '.join(f'{k} = {_inline(v)}' for k, v in value.items())}}}"
        case _:
            return repr(value)
