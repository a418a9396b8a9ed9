"""The allowlist at enforcement, against a plain list of entries."""

from __future__ import annotations

from typing import Any

import pytest
from action_samples import HOUR, NOW, action
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import ControlEntry
from streams.policy.control_entries import (
    allowlist_entry,
    closing_entry,
    release_entry,
)
from streams.sdk.allowlist import ALLOWLISTED, Allowlist
from streams.sdk.decision import Decision
from streams.sdk.standing_actions import Change, StandingActions

_WHO: dict[str, Any] = {"author": "ana", "reason": "tests", "created_at": NOW - 1}
_FACETS = {"network": "n", "organization": "o"}
_SUBJECTS = (
    *("account:1", "account:2", "facet:network:n", "facet:network:m"),
    *("organization:o", "campaign:c-1", "campaign:c-2", "*"),
)


def entry(subject: str, expires_at: int | None = None) -> ControlEntry:
    return allowlist_entry(subject, expires_at=expires_at, **_WHO)


def listed(*subjects: str) -> Allowlist:
    allowlist = Allowlist()
    for subject in subjects:
        allowlist.put(entry(subject), NOW)
    return allowlist


@pytest.mark.parametrize(
    ("subject", "passes"),
    [
        ("account:1", True),
        ("facet:network:n", True),
        ("organization:o", True),
        ("*", True),
        ("account:2", False),
        ("facet:network:m", False),
        ("facet:client:n", False),
        ("campaign:c-1", False),
    ],
)
def test_a_request_passes_by_its_account_organization_or_a_facet(
    subject: str, *, passes: bool
) -> None:
    assert listed(subject).lets_pass("1", _FACETS, NOW) is passes


@pytest.mark.parametrize(
    ("subject", "spared"),
    [
        ("account:1", True),
        ("campaign:c-1", True),
        ("*", True),
        ("campaign:c-2", False),
        ("organization:o", False),
    ],
)
def test_an_action_is_spared_by_its_subject_or_its_campaign(
    subject: str, *, spared: bool
) -> None:
    assert listed(subject).spares(action(), NOW) is spared


def test_an_entry_ends_at_its_expiry_whoever_has_told_of_it() -> None:
    allowlist = Allowlist()
    allowlist.put(entry("account:1", NOW + 10), NOW)
    assert allowlist.lets_pass("1", None, NOW + 9.9)
    assert not allowlist.lets_pass("1", None, NOW + 10)
    assert allowlist.expire(NOW + 9) == set()
    assert allowlist.expire(NOW + 10) == {"account:1"}
    assert allowlist.empty


def test_a_closing_entry_or_one_of_another_kind_takes_an_entry_out() -> None:
    allowlist, first = listed("account:1"), entry("account:1")
    closing = closing_entry(first, **_WHO | {"created_at": NOW})
    assert allowlist.put(closing, NOW) == {"account:1"}
    assert allowlist.put(first, NOW) == {"account:1"}
    assert allowlist.put(release_entry("account:1", **_WHO), NOW) == set()
    assert allowlist.withdraw(first.entry_id) == {"account:1"}
    assert allowlist.withdraw(first.entry_id) == set()
    assert allowlist.empty


def test_what_a_new_load_does_not_tell_again_is_out() -> None:
    allowlist = listed("account:1", "account:2")
    allowlist.begin_load()
    allowlist.put(entry("account:2"), NOW)
    assert allowlist.end_load() == {"account:1"}
    assert [each.subject for each in allowlist.entries] == ["account:2"]


def test_complaint_1_an_allowlisted_action_is_withheld_and_visible() -> None:
    allowlist = listed("account:1")
    held = StandingActions(allowlist=allowlist)
    assert held.upsert(action(), NOW) == [Change("refused", action(), ALLOWLISTED)]
    decision = held.decide("1", None, lambda: NOW / 1000)
    assert decision == Decision(None, action(), ALLOWLISTED)


def test_complaint_1_the_list_lifts_what_stands_and_its_end_brings_it_back() -> None:
    allowlist = Allowlist()
    held = StandingActions(allowlist=allowlist)
    mine, other = action(), action("account:2", campaign_id="c-2")
    held.upsert(mine, NOW)
    held.upsert(other, NOW)
    changes = held.judge_anew(allowlist.put(entry("campaign:c-1"), NOW), NOW)
    assert changes == [Change("refused", mine, ALLOWLISTED)]
    assert list(held.news(changes)) == [(mine, False)]
    assert held.judge_anew({"campaign:c-1"}, NOW) == []
    changes = held.judge_anew(allowlist.withdraw("allowlist:campaign:c-1"), NOW)
    assert changes == [Change("applied", mine)]
    assert list(held.news(changes)) == [(mine, True)]


def test_complaint_1_an_action_on_a_facet_spares_the_allowlisted_account() -> None:
    held = StandingActions(allowlist=listed("account:1"))
    shared = action("facet:network:n", rung="throttle")
    dry = action("account:1", mode="shadow")
    held.upsert(shared, NOW)
    held.upsert(dry, NOW)
    assert held.decide("2", _FACETS, lambda: NOW / 1000).action == shared
    decision = held.decide("1", _FACETS, lambda: NOW / 1000)
    assert decision == Decision(None, dry, ALLOWLISTED)


_CHANGES = st.one_of(
    st.tuples(
        st.just("put"),
        st.sampled_from(_SUBJECTS),
        st.none() | st.integers(NOW + 1, NOW + 60),
    ),
    st.tuples(st.just("withdraw"), st.sampled_from(_SUBJECTS), st.none()),
    st.tuples(st.just("wait"), st.just(""), st.integers(1, 20)),
)


@given(
    st.lists(_CHANGES, max_size=20),
    st.lists(st.tuples(st.sampled_from(["c-1", "c-2"]), st.booleans()), max_size=4),
)
def test_it_says_what_a_plain_list_says(
    changes: list[tuple[str, str, int | None]], actions: list[tuple[str, bool]]
) -> None:
    """And what was judged when the list changed equals what is judged anew."""
    allowlist, plain, now = Allowlist(), dict[str, int | None](), NOW
    held = StandingActions(allowlist=allowlist)
    for number, (campaign, facet) in enumerate(actions):
        subject = "facet:network:n" if facet else f"account:{number}"
        held.upsert(
            action(
                subject,
                number,
                campaign_id=campaign,
                rung="throttle" if facet else "challenge",
            ),
            now,
        )
    for kind, subject, value in changes:
        touched = set[str]()
        if kind == "put" and (value is None or value > now):
            touched = allowlist.put(entry(subject, value), now)
            plain[subject] = value
        elif kind == "withdraw":
            touched = allowlist.withdraw(f"allowlist:{subject}")
            plain.pop(subject, None)
        elif kind == "wait":
            now += value or 0
            touched = allowlist.expire(now)
        held.judge_anew(touched, now)
        listed = {s for s, end in plain.items() if end is None or now < end}
        assert allowlist.empty == (not listed)
        for account in ("0", "1", "2"):
            mine = {f"account:{account}", "facet:network:n", "organization:o", "*"}
            passes = bool(mine & listed)
            assert allowlist.lets_pass(account, _FACETS, now) is passes
            decision = held.decide(account, _FACETS, lambda: now / 1000)  # noqa: B023  asked at once
            if decision.action is not None:
                about = {
                    f"campaign:{decision.action.campaign_id}",
                    decision.action.subject,
                }
                assert not passes
                assert not about & listed
            elif decision.would is not None:
                about = {f"campaign:{each.action.campaign_id}" for each in held}
                assert passes or about & listed


def test_judging_waits_for_nothing_else_than_the_list() -> None:
    held = StandingActions(allowlist=listed("account:1"))
    held.upsert(action(mode="shadow"), NOW)
    held.upsert(action("account:3", human_review=True), NOW)
    assert held.judge_anew({"*", "account:1"}, NOW + HOUR // 2) == []
