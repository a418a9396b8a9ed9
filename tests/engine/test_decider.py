"""The policy decides whom, how hard, when and how much; evidence only proposes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from control_streams import BLATANT, actions, campaign_log, links_of
from event_streams import EPOCH, Burst, campaign
from hypothesis import given, settings
from hypothesis import strategies as st
from lenient_reference import decisions, lenient_reference, trail
from stage_runs import Run, as_log, run

from streams.contracts.records import Alert, ControlEntry, Mode, Rung, decode_record
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.stage import Output
from streams.policy.control_entries import (
    allowlist_entry,
    label_entry,
    mode_entry,
    release_entry,
)
from streams.policy.ladder import LADDER, RUNGS, Step
from streams.policy.policy import Caps, Policy, QuietHours, Scenario

_NO_CAPS = Caps(actions_per_hour=None, traffic_share=None)
_ONE = (Step("throttle", uses=2, e_value=20, confirmations=1, minutes=60),)


def _policy(*scenarios: Scenario, **fields: Any) -> Policy:
    shown = scenarios or (Scenario(name="all"),)
    return Policy(**{"version": "t", "scenarios": shown, "caps": _NO_CAPS, **fields})


def _run(policy: Policy, stream: tuple[Burst, ...] = BLATANT) -> Run:
    def make() -> CampaignsStage:
        return CampaignsStage(
            0,
            facet_partitions=2,
            reference=lenient_reference(),
            mode="enforce",
            policy=policy,
        )

    return run(make, as_log(links_of(stream)))


def _alerts(ended: Run, kind: str) -> list[Alert]:
    found = [
        decode_record(Alert, one.value or b"")
        for one in trail(ended.outputs)
        if one.topic == "llm.alerts"
    ]
    return [alert for alert in found if alert.kind == kind]


def test_the_first_scenario_whose_condition_holds_decides() -> None:
    few = Scenario(name="few", when="account.id == 'account-3'", ladder=_ONE)
    none = Scenario(name="none", when="campaign.accounts > 1000")
    lives = actions(_run(_policy(none, few)).outputs)
    assert set(lives) == {"account:account-3"}
    rest = Scenario(name="rest")
    ended = _run(_policy(few, rest))
    scenarios = {
        (one.subject == "account:account-3", one.scenario)
        for one in decisions(ended.outputs)
        if one.kind == "issued"
    }
    assert scenarios == {(True, "few"), (False, "rest")}


def test_a_step_with_a_condition_is_climbed_only_where_it_holds() -> None:
    never = Step("suspend", 20, 1000, 3, 60, when="account.templated_share > 2.0")
    lives = actions(_run(_policy(Scenario(name="s", ladder=(*_ONE, never)))).outputs)
    rungs = {one.rung for life in lives.values() for one in life if one}
    assert rungs == {"throttle"}


def test_a_condition_that_cannot_be_told_withholds_and_is_told_once() -> None:
    odd = Scenario(name="odd", when="10 / (account.uses - 5) > -99")
    ended = _run(_policy(odd))
    told = Counter(
        one.subject for one in decisions(ended.outputs) if one.kind == "withheld"
    )
    assert told
    assert set(told.values()) == {1}


@pytest.mark.parametrize("percentage", [0.0, 30.0, 100.0])
def test_a_percentage_is_enforced_and_the_rest_is_shadow(percentage: float) -> None:
    scenario = Scenario(name="some", percentage=percentage)
    for subject, life in actions(_run(_policy(scenario)).outputs).items():
        wanted = "enforce" if scenario.includes(subject) else "shadow"
        assert {one.mode for one in life if one} == {wanted}


def test_quiet_hours_hold_hard_rungs_back_until_they_end() -> None:
    # The stream begins at midnight, and everybody would be suspended by half past one.
    night = QuietHours(start="00:00", end="06:00", max_rung="throttle")
    ended = _run(_policy(quiet_hours=(night,)))
    for life in actions(ended.outputs).values():
        for one in life:
            if one and one.rung not in ("observe", "throttle"):
                assert (one.issued_at // 60_000) % 1440 >= 360
    reasons = {one.reason for one in decisions(ended.outputs) if one.kind == "withheld"}
    assert all(reason.startswith("quiet hours hold ") for reason in reasons)
    assert "quiet hours hold challenge back" in reasons


def test_a_direct_policy_climbs_at_once() -> None:
    ended = _run(_policy(Scenario(name="direct", direct=True)))
    first = [life[0] for life in actions(ended.outputs).values()]
    assert {one.rung for one in first if one} > {"throttle"}


@pytest.mark.parametrize("several_networks", [True, False])
def test_nothing_is_enforced_where_one_network_has_most_accounts(
    several_networks: bool,
) -> None:
    ladder = tuple(
        msgspec.structs.replace(
            step, several_networks=several_networks and step != LADDER[0]
        )
        for step in LADDER
    )
    office = (*campaign(8, 24, flavour="office"),)
    ended = _run(_policy(Scenario(name="s", ladder=ladder)), office)
    (found,) = _alerts(ended, "campaign_found")
    assert found.summary.endswith("sends no organization ids?")
    lives = actions(ended.outputs).values()
    rungs = {one.rung for life in lives for one in life if one}
    assert (rungs == {"observe"}) is several_networks
    assert "observe" in rungs


def test_an_action_lasts_longer_each_time_it_is_issued_again() -> None:
    stream = (*campaign(8, 30), *campaign(8, 9, gap=300))
    longer = Scenario(name="l", ladder=_ONE, repeat_factor=2, max_minutes=300)
    for life in actions(_run(_policy(longer), stream).outputs).values():
        issued = [
            one
            for before, one in zip([None, *life], life, strict=False)
            if one and before is None
        ]
        lasts = [(one.expires_at - one.issued_at) // 60_000 for one in issued]
        assert lasts == sorted(lasts)
        assert set(lasts) <= {60, 120, 240, 300}
        assert len(set(lasts)) > 1


@given(
    st.integers(1, 9) | st.none(),
    st.integers(1, 3) | st.none(),
    st.sampled_from([None, 0.05, 0.3, 1.0]),
)
@settings(max_examples=20)
def test_beyond_a_cap_actions_are_shadow_and_it_is_told(
    hourly: int | None, owner: int | None, share: float | None
) -> None:
    caps = Caps(
        actions_per_hour=hourly, actions_per_hour_and_owner=owner, traffic_share=share
    )
    ended = _run(_policy(caps=caps))
    told = decisions(ended.outputs)
    hours: Counter[int] = Counter()
    for one in told:
        if one.kind in ("issued", "escalated") and one.mode == "enforce":
            hours[one.occurred_at // 3_600_000] += 1
    assert hourly is None or max(hours.values(), default=0) <= hourly
    above = [one for one in told if one.reason.startswith("above the cap")]
    assert {one.mode for one in above} <= {"shadow"}
    assert bool(_alerts(ended, "breaker_tripped")) == bool(above)
    tripped = [
        (a.occurred_at // 3_600_000, a.summary)
        for a in _alerts(ended, "breaker_tripped")
    ]
    assert len(tripped) == len(set(tripped))
    actions(ended.outputs)


_STEPS = st.builds(
    Step,
    st.just("observe"),
    uses=st.integers(0, 9),
    e_value=st.sampled_from([0, 20, 100, 300, 1000]),
    confirmations=st.integers(0, 3),
    minutes=st.sampled_from([5, 60, 600]),
)
_LADDERS = st.lists(st.tuples(st.sampled_from(RUNGS), _STEPS), min_size=1, max_size=4)
_WHO: dict[str, Any] = {"author": "ana", "reason": "r", "created_at": EPOCH * 60_000}
_ENTRIES = st.sampled_from(
    [
        mode_entry("*", "shadow", **_WHO),
        mode_entry("account:account-2", "enforce", **_WHO),
        allowlist_entry("account:account-3", **_WHO),
        release_entry("account:account-1", **_WHO),
        label_entry("account:account-4", "benign", **_WHO),
    ]
)


@given(
    _LADDERS,
    st.booleans(),
    st.sampled_from(["shadow", "enforce"]),
    st.sampled_from([None, 3]),
    st.lists(st.tuples(st.integers(1, 3000), _ENTRIES), max_size=2),
)
@settings(max_examples=60)
def test_who_is_not_weighed_would_not_have_moved(
    drawn: list[tuple[Rung, Step]],
    direct: bool,
    mode: Mode,
    hourly: int | None,
    entries: list[tuple[int, ControlEntry]],
) -> None:
    """A condition that always holds, but not plainly so, has everybody weighed."""
    rungs = dict(drawn)
    ladder = tuple(
        msgspec.structs.replace(rungs[rung], rung=rung)
        for rung in RUNGS
        if rung in rungs
    )
    log = campaign_log(entries)

    def outputs(when: str) -> list[Output]:
        scenario = Scenario(name="s", when=when, ladder=ladder, direct=direct)
        caps = Caps(actions_per_hour=hourly, traffic_share=None)
        policy = Policy(version="t", scenarios=(scenario,), caps=caps)

        def make() -> CampaignsStage:
            return CampaignsStage(
                0,
                facet_partitions=2,
                reference=lenient_reference(),
                mode=mode,
                policy=policy,
            )

        return run(make, log).outputs

    assert outputs("true") == outputs("account.uses >= 0")


def test_a_scenario_that_is_not_about_accounts_decides_on_none() -> None:
    campaigns = Scenario(name="campaigns", subject_types=("campaign",), ladder=())
    ended = _run(_policy(campaigns, Scenario(name="accounts")))
    named = {one.scenario for one in decisions(ended.outputs) if one.kind == "issued"}
    assert named == {"accounts"}


def test_the_ledger_has_every_test_and_what_is_left() -> None:
    ended = _run(_policy(daily_budget=0.4))
    tested = [one for one in decisions(ended.outputs) if one.kind == "tested"]
    spent: dict[int, float] = {}
    found: Counter[int] = Counter()
    for one in tested:
        day = one.occurred_at // 86_400_000
        if one.budget_left:
            spent[day] = spent.get(day, 0.0) + one.level
            assert abs(spent[day] + one.budget_left - 0.4 - found[day] * 0.1) < 1e-9
            found[day] += one.e_value * one.level >= 1
        assert abs(one.threshold * one.level - 1) < 1e-6
        assert one.look >= 0
    assert len(tested) == 5
    assert tested[0].occurred_at // 60_000 - EPOCH == 14


def test_the_shipped_ladder_is_the_default() -> None:
    assert Scenario(name="s").ladder == LADDER
