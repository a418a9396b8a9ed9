"""A condition sees the variables of the table, and is checked before it is used."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import PolicyError
from streams.policy.conditions import (
    VARIABLES,
    Context,
    compile_condition,
    context_at,
    did_you_mean,
)

ACCOUNT: dict[str, Any] = {
    "id": "a1",
    "uses": 7,
    "e_value": 120.5,
    "events": 90,
    "templated_share": 0.4,
    "likeness": 1.5,
    "age_days": 3,
    "rung": "observe",
}
CAMPAIGN: dict[str, Any] = {
    "id": "dc-1",
    "accounts": 60,
    "exchanges": 4000,
    "e_value": float("inf"),
    "confirmations": 2,
    "age_hours": 5.5,
    "families": ("rubric", "reasoning"),
    "pivots": (),
}
NOON = 12 * 60  # of Thursday, 1 January 1970


def context(minute: int = NOON, **account: Any) -> Context:
    return context_at(minute, ACCOUNT | account, CAMPAIGN)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("  true ", True),
        ("false", False),
        ("account.uses > 5 && account.e_value > 100", True),
        ("account.uses > 5.5 || campaign.e_value < 1", True),
        ("account.e_value * 2.0 < 241.5", True),
        ("double(account.uses) / 7.0 == 1.0", True),
        ("account.age_days == -1 ? false : account.age_days < 7", True),
        ("account.rung in ['', 'observe']", True),
        ("account.id.startsWith('b') || account.id.matches('^a[0-9]$')", True),
        ("campaign.families.exists(f, f == 'rubric')", True),
        ("'tools' in campaign.families", False),
        ("size(campaign.pivots) == 0 && campaign.pivots.size() == 0", True),
        ("'x' in campaign.families.filter(f, f != 'rubric').map(g, g)", False),
        ("time.hour >= 22 || time.hour < 6 || time.weekday >= 5", False),
        ("time . hour == 12 // account.nothing", True),
        ('account.id == "account.nothing" || r"\\" == "" || !(account.uses < 0)', True),
        ("[1, 2].all(account_, account_ > 0)", True),
    ],
)
def test_conditions_hold_as_cel_says(text: str, holds: bool) -> None:
    assert compile_condition(text).holds(context()) is holds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("account.uses >", "character 15"),
        ("account.usage > 1", "no variable account.usage; did you mean account.uses?"),
        ("true || account.usage > 1", "no variable account.usage"),
        ("uses > 1", "no variable uses; did you mean account.uses?"),
        ("e_value > 1", "did you mean account.e_value or campaign.e_value?"),
        ("true || nothing", "no variable nothing"),
        ("account == campaign", "account is a group of variables"),
        ("account['uses'] > 1", "account is a group of variables"),
        ("has(account.usage)", "no variable account.usage"),
        ("true || now() > 1", "there is no function now"),
        ("timestamp('2026-01-01T00:00:00Z') > timestamp(account.id)", "function"),
        ("account.uses", "gives a whole number, not true or false"),
        ("account.id", "gives text, not true or false"),
        ("campaign.families", "gives a list, not true or false"),
        ("null", "gives nothing that can be told"),
        ("account.uses > 'three'", "No such overload"),
        ("account.e_value + 1 > 2", "Unsupported operation: float + int"),
        ("account.id.matches('(')", "not a valid regex"),
        ("campaign.families[0] == 'rubric'", "index out of bounds"),
        ("1 / (account.uses - account.uses) > 0", "division by zero"),
        ("account.id.first == 'a'", "cannot be told"),
        ("9223372036854775807 + account.uses > 0", "overflow"),
        ("(" * 600 + "true" + ")" * 600, "more than 1,000"),
        ("(" * 400 + "true" + ")" * 400, "is no CEL"),
    ],
)
def test_what_is_wrong_is_told_before_it_is_used(text: str, told: str) -> None:
    with pytest.raises(PolicyError) as error:
        compile_condition(text)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_what_goes_wrong_later_is_a_policy_error_too() -> None:
    # None of the samples has that many exchanges, so it is found out in use.
    condition = compile_condition("100 / (account.uses - 7) > 2")
    assert condition.holds(context(uses=27))
    with pytest.raises(PolicyError, match="division by zero"):
        condition.holds(context(uses=7))


def test_a_condition_that_always_holds_needs_no_context() -> None:
    assert compile_condition("true").always
    assert compile_condition(" ").holds({})
    assert not compile_condition("account.uses > 0").always


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda v: v.name)
def test_each_variable_of_the_table_is_there_with_its_type(variable: Any) -> None:
    literals = {
        "string": "''",
        "int": "0",
        "double": "0.5",
        "list": "[]",
    }
    literal = literals[variable.type]
    assert compile_condition(f"{variable.name} != {literal}").text
    if variable.type in ("int", "double"):
        # Only equal types are added.
        compile_condition(f"{variable.name} + {literal} < 1000000000.0")
    assert variable.help.endswith(".")


@given(st.integers(0, 60_000_000))
def test_the_time_is_that_of_the_calendar(minute: int) -> None:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)
    expected = {"hour": moment.hour, "weekday": moment.weekday()}
    assert context(minute)["time"] == expected


def test_numbers_take_the_type_of_the_table() -> None:
    made = context(e_value=3, uses=4.0)
    assert (type(made["account"]["e_value"]), type(made["account"]["uses"])) == (
        float,
        int,
    )
    with pytest.raises(KeyError, match="uses"):
        context_at(0, {"id": "a"}, CAMPAIGN)


def test_a_word_that_is_near_nothing_gets_the_list() -> None:
    assert did_you_mean("zzz", ("b", "a")) == "known: b, a"
