"""What operators say takes effect once, at one place of the log, whatever crashes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from control_streams import (
    BLATANT,
    actions,
    campaign_log,
    links_of,
    make,
    with_entries,
)
from event_streams import EPOCH, Record
from hypothesis import given, settings
from hypothesis import strategies as st
from lenient_reference import decisions, trail
from stage_runs import Run, Step, run, steps

from streams.contracts.records import Alert, ControlEntry, Decision, decode_record
from streams.policy.control_entries import (
    allowlist_entry,
    checked_entry,
    closing_entry,
    label_entry,
    mode_entry,
    policy_entry,
    release_entry,
    review_entry,
)

_CAMPAIGN = "dc-7c58b822f22c"
_WHO: dict[str, Any] = {
    "author": "ana",
    "reason": "tests",
    "created_at": EPOCH * 60_000,
}
_COOL_OFF = 'version = "short"\ncool_off = "30m"\n'

_SUBJECTS = st.sampled_from(
    [
        "account:account-1",
        "account:account-8",
        f"campaign:{_CAMPAIGN}",
        "facet:payment:payment-1",
        "organization:none",
    ]
)
_ENTRIES = st.one_of(
    st.builds(lambda s: allowlist_entry(s, **_WHO), _SUBJECTS),
    st.builds(
        lambda s, day: allowlist_entry(
            s, expires_at=(EPOCH + day * 1440) * 60_000, canary=day % 2 == 0, **_WHO
        ),
        _SUBJECTS,
        st.integers(1, 9),
    ),
    st.builds(lambda s: release_entry(s, **_WHO), _SUBJECTS),
    st.builds(
        lambda s, mode: mode_entry(s, mode, **_WHO),
        _SUBJECTS | st.just("*"),
        st.sampled_from(["shadow", "enforce"]),
    ),
    st.builds(
        lambda s, label: label_entry(s, label, **_WHO),
        _SUBJECTS,
        st.sampled_from(["benign", "distillation"]),
    ),
    st.builds(
        lambda text: policy_entry(text, **_WHO),
        st.sampled_from([_COOL_OFF, "version = 3", 'version = "plain"']),
    ),
    st.sampled_from(["policy", "mode:*", "allowlist:account:account-1", "nothing"]),
)


def _run(entries: list[tuple[int, ControlEntry | str]]) -> Run:
    return run(make, campaign_log(entries))


def _of(ended: Run, kind: str, subject: str = "") -> list[Decision]:
    return [
        one
        for one in decisions(ended.outputs)
        if one.kind == kind and one.subject.startswith(subject)
    ]


def _minute(decision: Decision) -> int:
    return decision.occurred_at // 60_000 - EPOCH


def _alerts(ended: Run, kind: str) -> list[Alert]:
    found = [
        decode_record(Alert, output.value or b"")
        for output in trail(ended.outputs)
        if output.topic == "llm.alerts"
    ]
    return [alert for alert in found if alert.kind == kind]


@given(
    st.lists(st.tuples(st.integers(0, 400), _ENTRIES), max_size=6),
    steps(crashes=True, most=30),
)
@settings(max_examples=60)
def test_cuts_and_crashes_do_not_matter(
    entries: list[tuple[int, ControlEntry | str]], plan: list[Step]
) -> None:
    log: list[Record] = with_entries(links_of(BLATANT), entries)
    one, other = run(make, log), run(make, log, plan)
    assert trail(one.outputs) == trail(other.outputs)
    assert one.stage.state.standing == other.stage.state.standing
    assert one.stage.state.operation == other.stage.state.operation
    assert one.stage.state.controls.entries == other.stage.state.controls.entries
    assert one.stage.state.campaigns == other.stage.state.campaigns
    actions(one.outputs)


@given(st.lists(st.tuples(st.integers(0, 400), _ENTRIES), min_size=1, max_size=4))
@settings(max_examples=20)
def test_an_entry_that_is_forwarded_twice_is_applied_once(
    entries: list[tuple[int, ControlEntry | str]],
) -> None:
    log = with_entries(links_of(BLATANT), entries)
    twice = [record for record in log for _ in range(2)]
    renumbered = [one._replace(offset=at) for at, one in enumerate(twice)]
    assert trail(run(make, log).outputs) == trail(run(make, renumbered).outputs)


@given(st.lists(st.tuples(st.integers(0, 400), _ENTRIES), min_size=1, max_size=4))
@settings(max_examples=20)
def test_a_replay_at_the_minutes_that_were_told_gives_the_same(
    entries: list[tuple[int, ControlEntry | str]],
) -> None:
    live = run(make, with_entries(links_of(BLATANT), entries))
    known = {
        entry.entry_id: entry for _, entry in entries if not isinstance(entry, str)
    }
    if len(known) < len(entries):
        # One id twice, or a withdrawal: the told minutes are not each entry's own.
        return
    told = _of(live, "applied")
    ended = _run([(_minute(one), known[one.entry_id or ""]) for one in told])
    assert trail(ended.outputs) == trail(live.outputs)


def test_without_entries_a_blatant_campaign_climbs_to_the_top() -> None:
    ended = _run([])
    lives = actions(ended.outputs)
    assert len(lives) == 9
    last = lives["account:account-1"][-1]
    assert last is not None
    assert (last.rung, last.mode, last.human_review) == ("suspend", "enforce", True)
    assert {one.campaign_id for one in decisions(ended.outputs)} == {_CAMPAIGN}


def test_an_allowlist_entry_releases_what_stands_and_keeps_it_so() -> None:
    ended = _run([(60, allowlist_entry("account:account-1", **_WHO))])
    assert actions(ended.outputs)["account:account-1"][-1] is None
    (released,) = _of(ended, "released")
    assert (_minute(released), released.entry_id, released.author) == (
        60,
        "allowlist:account:account-1",
        "ana",
    )
    (withheld,) = _of(ended, "withheld")
    assert withheld.subject == "account:account-1"
    assert withheld.reason == "observe: account:account-1 is allowlisted"


@pytest.mark.parametrize(
    ("subject", "left_alone"),
    [
        ("facet:payment:payment-1", {4, 5, 6, 7}),
        ("facet:network:network-2", {6, 7, 8}),
        ("facet:tls:tls", set(range(9))),
        (f"campaign:{_CAMPAIGN}", set(range(9))),
        ("*", set(range(9))),
    ],
)
def test_an_allowlist_of_any_scope_keeps_its_accounts_from_actions(
    subject: str, left_alone: set[int]
) -> None:
    lives = actions(_run([(-1, allowlist_entry(subject, **_WHO))]).outputs)
    spared = {f"account:account-{number}" for number in left_alone}
    assert set(lives) == {f"account:account-{n}" for n in range(9)} - spared


def test_an_allowlist_entry_that_ends_or_is_withdrawn_protects_no_longer() -> None:
    entry = allowlist_entry(
        "account:account-1", expires_at=(EPOCH + 200) * 60_000, **_WHO
    )
    ended = _run([(-1, entry)])
    first = _of(ended, "issued", "account:account-1")[0]
    assert _minute(first) > 200
    for_good = allowlist_entry("account:account-1", **_WHO)
    taken_back = _run([(-1, for_good), (300, "allowlist:account:account-1")])
    assert _minute(_of(taken_back, "issued", "account:account-1")[0]) > 300


def test_a_release_lasts_until_new_evidence_after_the_cool_off() -> None:
    released = [(60, release_entry("account:account-1", **_WHO))]
    ended = _run([(-1, policy_entry(_COOL_OFF, **_WHO)), *released])
    again = list(_of(ended, "issued", "account:account-1"))[1]
    assert _minute(again) >= 60 + 30
    before = list(_of(ended, "escalated", "account:account-1"))[-1]
    # What counts is what came since: fewer exchanges than were known before.
    assert again.exchanges < before.exchanges or _minute(before) > _minute(again)
    lasting = _run(released)
    first, *later = _of(lasting, "issued", "account:account-1")
    assert _minute(first) == 14
    assert all(_minute(one) >= 60 + 7 * 1440 for one in later)
    reasons = {one.reason for one in _of(lasting, "withheld")}
    assert reasons == {"released by hand, and the cool-off is not over"}


def test_a_release_before_any_action_lets_what_was_known_count_no_more() -> None:
    released = (10, release_entry("account:account-1", **_WHO))
    ended = _run([(-1, policy_entry(_COOL_OFF, **_WHO)), released])
    standing = ended.stage.state.standing["account-1"]
    assert standing.released_uses > 0
    (first, *_) = _of(ended, "issued", "account:account-1")
    (undisturbed, *_) = _of(_run([]), "issued", "account:account-1")
    assert _minute(undisturbed) < 10 + 30 <= _minute(first)
    known = ended.stage.state.uses_of("account-1")
    assert first.exchanges <= known - standing.released_uses


def test_releasing_a_campaign_releases_its_members_at_once() -> None:
    ended = _run([(60, release_entry(f"campaign:{_CAMPAIGN}", **_WHO))])
    lives = actions(ended.outputs)
    members = [f"account:account-{number}" for number in range(8)]
    assert [one.subject for one in _of(ended, "released")] == members
    for life in lives.values():
        # Nothing more before the cool-off is over and a look has confirmed it anew.
        resting = [one for one in life if one is None or one.issued_at > _at(60)]
        assert all(
            one is None or one.issued_at >= _at(60 + 7 * 1440) for one in resting
        )
    (alert,) = _alerts(ended, "campaign_released")
    assert (alert.campaign_id, alert.account_count) == (_CAMPAIGN, 8)


def test_a_benign_label_releases_and_a_distillation_label_does_not() -> None:
    benign = _run([(60, label_entry("account:account-1", "benign", **_WHO))])
    assert len(_of(benign, "released")) == 1
    other = _run([(60, label_entry("account:account-1", "distillation", **_WHO))])
    assert not _of(other, "released")


def test_a_mode_entry_changes_what_stands_and_what_comes() -> None:
    ended = _run([(45, mode_entry("*", "shadow", **_WHO))])
    for life in actions(ended.outputs).values():
        modes = [one.mode for one in life if one and one.issued_at > _at(45)]
        assert set(modes) == {"shadow"}
    assert {one.author for one in _of(ended, "extended")} >= {"ana"}
    subject = "facet:payment:payment-1"
    partly = _run([(-1, mode_entry(subject, "shadow", **_WHO))])
    for name, life in actions(partly.outputs).items():
        shadow = int(name[-1]) in range(4, 8)
        assert {one.mode for one in life if one} == {"shadow" if shadow else "enforce"}


def test_a_closing_entry_takes_back_and_does_not_apply_again() -> None:
    label = label_entry("account:account-1", "benign", **_WHO)
    closing = closing_entry(label, author="bo", reason="mistaken", created_at=9)
    ended = _run([(60, label), (300, closing), (301, label.entry_id)])
    assert len(_of(ended, "released")) == 1
    first, last = _of(ended, "applied")
    assert (first.author, last.author, last.reason) == ("ana", "bo", "mistaken")
    assert not ended.stage.state.controls.entries


def test_a_policy_is_applied_and_a_wrong_one_is_refused() -> None:
    only = (
        'version = "mild"\n[[scenario]]\nname = "mild"\n'
        '[[scenario.ladder]]\nrung = "label"\nuses = 2\ne_value = 20.0\n'
        'confirmations = 1\nduration = "1d"\n'
    )
    wrong = policy_entry('version = "x"\nlader = 1', **_WHO)
    ended = _run([(-1, policy_entry(only, **_WHO)), (40, wrong)])
    rungs = {
        one.rung for life in actions(ended.outputs).values() for one in life if one
    }
    assert rungs == {"label"}
    first, refused = _of(ended, "applied")
    assert (first.reason, first.scenario_version) == ("tests", "mild")
    assert refused.reason.startswith("refused: ")
    assert "lader" in refused.reason
    assert ended.stage.state.controls.entries["policy"].value == only


def test_a_subject_that_is_none_is_refused_and_the_entry_before_it_stays() -> None:
    good = allowlist_entry("account:account-1", **_WHO)
    odd = msgspec.structs.replace(good, subject="user:7")
    ended = _run([(-1, good), (30, odd)])
    _, refused = _of(ended, "applied")
    assert refused.reason.startswith("refused: subject 'user:7'")
    assert ended.stage.state.controls.entries == {good.entry_id: good}


def test_what_is_done_once_is_not_kept() -> None:
    entries = [(at, release_entry("account:account-1", **_WHO)) for at in (40, 50)]
    assert not _run(entries).stage.state.controls.entries


def test_a_person_confirms_or_denies_a_suspension() -> None:
    first = _run([])
    waiting = next(one for one in _of(first, "escalated") if one.rung == "suspend")
    subject, action_id = waiting.subject, waiting.action_id or ""
    approve = review_entry(action_id, subject, "approve", **_WHO)
    (*_, last) = actions(_run([(90, approve)]).outputs)[subject]
    assert last is not None
    assert (last.rung, last.human_review, last.sequence) == ("suspend", False, 6)
    deny = review_entry(action_id, subject, "deny", **_WHO)
    assert None in actions(_run([(90, deny)]).outputs)[subject]
    stale = review_entry("another", subject, "deny", **_WHO)
    assert actions(_run([(90, stale)]).outputs) == actions(first.outputs)


def test_a_granted_appeal_lifts_and_an_open_one_does_not() -> None:
    def appeal(value: str) -> ControlEntry:
        return checked_entry(
            "appeal", "appeal:t", "account:account-1", value=value, **_WHO
        )

    assert not _of(_run([(60, appeal("open"))]), "released")
    assert not _of(_run([(60, appeal("upheld"))]), "released")
    (released,) = _of(_run([(60, appeal("granted"))]), "released")
    assert released.entry_id == "appeal:t"


def test_an_indicator_brings_tests_of_its_own_but_no_action() -> None:
    indicator = checked_entry(
        "indicator",
        "indicator:1",
        "facet:payment:payment-1",
        value="indicator--1",
        **_WHO,
    )
    ended = _run([(-1, indicator)])
    tested = [one for one in decisions(ended.outputs) if one.kind == "tested"]
    # A quarter of the day's budget is kept for groups that match.
    assert round(tested[0].threshold) == 1981
    assert "indicator.watched" in {feature.name for feature in tested[0].features}
    operation = ended.stage.state.operation
    assert operation.watched_budget.tests > 0
    assert operation.budget.tests == 0


def test_two_alarms_of_canaries_turn_everything_to_shadow() -> None:
    canaries = [
        (-1, allowlist_entry(f"account:account-{n}", canary=True, **_WHO))
        for n in (2, 3)
    ]
    direct = (
        'version = "direct"\n[[scenario]]\nname = "d"\ndirect = true\n'
        '[[scenario.ladder]]\nrung = "throttle"\nuses = 2\ne_value = 20.0\n'
        'confirmations = 1\nduration = "1d"\n'
    )
    ended = _run([*canaries, (-1, policy_entry(direct, **_WHO))])
    (alert,) = _alerts(ended, "canary_failed")
    assert alert.severity == "critical"
    lives = actions(ended.outputs)
    assert not lives.keys() & {"account:account-2", "account:account-3"}
    for life in lives.values():
        assert life[-1] is None or life[-1].mode == "shadow"
    healed = _run(
        [
            *canaries,
            (-1, policy_entry(direct, **_WHO)),
            (300, mode_entry("*", "enforce", **_WHO)),
        ]
    )
    assert "enforce" in {
        one.mode
        for life in actions(healed.outputs).values()
        for one in life
        if one and one.issued_at > _at(300)
    }


def test_an_action_expires_with_a_tombstone_at_its_own_minute() -> None:
    ended = _run([])
    for expired in _of(ended, "expired"):
        life = [one for one in actions(ended.outputs)[expired.subject] if one]
        lifted = next(one for one in life if one.action_id == expired.action_id)
        assert expired.occurred_at == lifted.expires_at


def _at(minute: int) -> int:
    return (EPOCH + minute) * 60_000
