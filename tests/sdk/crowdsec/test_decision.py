from __future__ import annotations

import json

import pytest
from action_samples import HOUR, NOW, action
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigError
from streams.sdk.crowdsec.decision import DecisionMaker, encode_decisions, place_of
from streams.sdk.decision import RANK

IDS = st.text("ab:/.1", min_size=1, max_size=4)
KINDS = st.sampled_from(["network", "payment", "account", "Ip", "range", "campaign"])
SUBJECTS = st.one_of(
    st.builds("account:{}".format, IDS),
    st.builds("organization:{}".format, IDS),
    st.builds("campaign:{}".format, IDS),
    st.builds("facet:{}:{}".format, KINDS, IDS),
    st.builds(
        "facet:network:{}".format,
        st.one_of(
            st.ip_addresses().map(str),
            st.sampled_from(["10.0.0.0/8", "10.0.0.1/8", "2001:db8::/32", "1.2.3"]),
        ),
    ),
)


@given(SUBJECTS, SUBJECTS)
def test_no_two_subjects_have_the_same_place(one: str, other: str) -> None:
    places = place_of(one), place_of(other)
    assert None not in places
    assert (places[0] == places[1]) is (one == other)


@pytest.mark.parametrize(
    ("subject", "scope", "value"),
    [
        ("account:a:b", "account", "a:b"),
        ("organization:o", "organization", "o"),
        ("campaign:c", "campaign", "c"),
        ("facet:network:192.0.2.7", "Ip", "192.0.2.7"),
        ("facet:network:2001:db8::7", "Ip", "2001:db8::7"),
        ("facet:network:2001:db8::/32", "Range", "2001:db8::/32"),
        ("facet:network:192.0.2.7/24", "network", "192.0.2.7/24"),
        ("facet:network:77ab03", "network", "77ab03"),
        ("facet:tls_ja4:t13d", "tls_ja4", "t13d"),
    ],
)
def test_scope_comes_from_the_kind(subject: str, scope: str, value: str) -> None:
    assert place_of(subject) == (scope, value)


@pytest.mark.parametrize("subject", ["", "account:", "facet:network:", "planet:1", "*"])
def test_what_is_not_known_is_no_decision(subject: str) -> None:
    assert place_of(subject) is None
    assert DecisionMaker().make(action(subject)) is None


def test_a_decision_has_the_fields_of_the_local_api() -> None:
    decision = DecisionMaker().make(action("account:9f", expires_at=NOW + HOUR))
    assert decision is not None
    (told,) = json.loads(b"[" + encode_decisions([decision], NOW + 1_877) + b"]")
    assert told == {
        "duration": "59m58.123s",
        "id": decision.id,
        "origin": "distillwatch",
        "scenario": "distillwatch/c-1",
        "scope": "account",
        "type": "ban",
        "uuid": "id-account:9f-1",
        "value": "9f",
    }


def test_an_id_is_a_number_that_doubles_hold_and_an_extension_keeps() -> None:
    make = DecisionMaker().make
    first = make(action("account:1", 1))
    extended = make(action("account:1", 2, expires_at=NOW + 2 * HOUR))
    harder = make(action("account:1", 3, rung="throttle"))
    assert first and extended and harder  # noqa: PT018  narrows three types at once
    assert first.id == extended.id != harder.id
    ids = {
        found.id
        for number in range(2_000)
        if (found := make(action(f"account:{number}"))) is not None
    }
    assert len(ids) == 2_000
    assert all(0 < each < 1 << 53 for each in ids)
    assert max(ids) > 1 << 52


def test_types_come_from_a_table_that_can_be_overridden() -> None:
    def types(maker: DecisionMaker) -> dict[str, str | None]:
        made = {rung: maker.make(action(rung=rung)) for rung in RANK}
        return {rung: made and made.type for rung, made in made.items()}

    usual = {rung: rung for rung in RANK} | {"challenge": "captcha", "suspend": "ban"}
    assert types(DecisionMaker()) == usual
    other = DecisionMaker({"throttle": "captcha"}, omit=["observe", "label"])
    changed = {"throttle": "captcha", "observe": None, "label": None}
    assert types(other) == usual | changed


@pytest.mark.parametrize(
    ("types", "omit", "told"),
    [
        ({"banish": "ban"}, (), "banish is no rung; rungs are: observe, label, "),
        ({}, ("banish",), "banish is no rung"),
        ({"suspend": ""}, (), "rung suspend has an empty type"),
    ],
)
def test_a_table_with_unknown_rungs_is_refused(
    types: dict[str, str], omit: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        DecisionMaker(types, omit=omit)
