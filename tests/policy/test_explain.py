"""An explanation says what the log says, and computes what would have cleared it."""

from __future__ import annotations

import msgspec
import pytest
from explain_samples import CAMPAIGN, HOUR, MEMBERS, START, SUBJECT, action, known

from streams.contracts import Decision
from streams.models.reference import load_reference
from streams.policy.explain import explain
from streams.policy.explanation import Explanation

REFERENCE = load_reference()


def _later(kind: str, number: int, **changes: object) -> Decision:
    return msgspec.convert(
        {
            "decision_id": f"later{number}",
            "subject": SUBJECT,
            "kind": kind,
            "occurred_at": START + number * HOUR,
            "campaign_id": CAMPAIGN,
            **changes,
        },
        Decision,
    )


def test_what_stands_is_told_with_evidence_campaign_budget_and_versions() -> None:
    told = explain(SUBJECT, known(stands=action()), REFERENCE)
    now = told.standing
    assert (now.state, now.rung, now.mode) == ("standing", "throttle", "enforce")
    assert (now.since, now.until) == (START + 2 * HOUR, START + 26 * HOUR)
    assert told.own is not None
    assert (told.own.exchanges, told.own.exchanges_needed) == (4, 3)
    assert (told.own.e_value_needed, told.own.confirmations_needed) == (100.0, 1)
    assert told.campaign is not None
    assert told.campaign.campaign_id == CAMPAIGN
    assert told.campaign.account_count == len(MEMBERS) + 1
    assert told.campaign.rungs == {"enforce throttle": 1}
    assert [test.rejected for test in told.campaign.tests] == [True]
    assert told.budget is not None
    assert told.budget.daily == pytest.approx(0.2)
    spent = told.budget.before - told.budget.after
    assert spent == pytest.approx(told.campaign.tests[0].level)
    assert told.budget.spent == told.campaign.tests[0].level
    assert told.versions.scenario == "default"
    assert told.versions.model == REFERENCE.version
    assert told.appeal_token == action().appeal_token
    assert told.notes == ()
    about = {each.name.partition(".")[0]: each.about for each in told.reasons}
    assert about["account"] == "account"
    assert about["timing"] == about["infrastructure"] == "campaign"
    group = [each for each in told.reasons if each.about == "campaign"]
    assert sum(each.weight for each in group) == pytest.approx(1, abs=1e-5)
    assert [each.about for each in told.counterfactuals] == ["account", "campaign"]


def test_the_timeline_is_in_order_and_marks_the_decision_asked_about() -> None:
    told = explain(SUBJECT, known(stands=action()), REFERENCE)
    kinds = [each.kind for each in told.timeline]
    assert kinds == ["tested", "issued", "escalated"]
    assert [each.asked for each in told.timeline] == [False, False, True]
    first = told.timeline[1].action_id
    asked = explain(SUBJECT, known(stands=action()), REFERENCE, action_id=first)
    assert [each.asked for each in asked.timeline] == [False, True, False]
    assert asked.own is not None
    assert asked.own.exchanges == 3
    assert asked.decided_at == START + HOUR


def test_a_release_is_told_with_who_and_why() -> None:
    released = _later(
        "released",
        3,
        reason="a class",
        author="ana",
        entry_id="label:x",
        rung="throttle",
    )
    applied = _later(
        "applied", 3, subject="control:label:x", entry_id="label:x", author="ana"
    )
    other = _later("applied", 3, subject="control:mode:*", entry_id="mode:*")
    told = explain(SUBJECT, known(released, applied, other), REFERENCE)
    assert told.standing.state == "released"
    assert told.standing.why == "ana: a class"
    assert told.appeal_token is None
    entries = [each.entry_id for each in told.timeline if each.kind == "applied"]
    assert entries == ["label:x"]
    # What had been decided is still explained.
    assert told.own is not None
    assert told.own.exchanges == 4


def test_an_expired_or_withheld_action_is_none_that_stands() -> None:
    expired = explain(SUBJECT, known(_later("expired", 26)), REFERENCE)
    assert expired.standing.state == "expired"
    log = known()
    withheld = _later("withheld", 1, reason="throttle: it is allowlisted")
    only = log._replace(decisions=(log.decisions[0], withheld))
    told = explain(SUBJECT, only, REFERENCE)
    assert told.standing.state == "withheld"
    assert told.standing.why == "throttle: it is allowlisted"


def test_a_campaign_is_explained_by_its_tests() -> None:
    told = explain(f"campaign:{CAMPAIGN}", known(stands=action()), REFERENCE)
    assert told.standing.state == "found"
    assert told.own is None
    assert {each.about for each in told.reasons} == {"campaign"}
    assert [each.about for each in told.counterfactuals] == ["campaign"]
    log = known()
    release = msgspec.structs.replace(
        log.alerts[0], sequence=2, kind="campaign_released", summary="released by ana"
    )
    after = log._replace(alerts=(*log.alerts, release))
    told = explain(f"campaign:{CAMPAIGN}", after, REFERENCE)
    assert (told.standing.state, told.standing.why) == ("released", "released by ana")


def test_a_merged_campaign_names_the_one_that_goes_on() -> None:
    log = known()
    merge = msgspec.structs.replace(
        log.alerts[0],
        campaign_id="dc-other",
        kind="campaign_merged",
        summary=f"campaign {CAMPAIGN} is part of dc-other",
    )
    after = log._replace(alerts=(*log.alerts, merge))
    told = explain(f"campaign:{CAMPAIGN}", after, REFERENCE)
    assert told.campaign is not None
    assert told.campaign.merged_into == "dc-other"


def test_a_member_about_whom_nothing_was_decided_is_told_its_campaign() -> None:
    told = explain(f"account:{MEMBERS[3]}", known(), REFERENCE)
    assert told.standing.state == "nothing"
    assert told.campaign is not None
    assert told.campaign.campaign_id == CAMPAIGN
    assert [each.about for each in told.counterfactuals] == ["campaign"]


def test_another_reference_gives_counts_and_a_note_but_no_feature_values() -> None:
    other = msgspec.structs.replace(REFERENCE, version="2019")
    told = explain(SUBJECT, known(stands=action()), other)
    (account,) = told.counterfactuals
    assert account.features == ()
    assert {each.clears_at for each in account.evidence} == {2.0, 0.0, None}
    assert len(told.notes) == 1
    assert "2019" in told.notes[0]


def test_a_catalogue_beside_the_reference_changes_no_feature_value() -> None:
    log = known(stands=action())
    told = explain(SUBJECT, log, REFERENCE)
    named = [
        msgspec.structs.replace(
            each, model_version=f"{each.model_version}+catalogue.0123abcd"
        )
        for each in log.decisions
    ]
    again = explain(SUBJECT, log._replace(decisions=named), REFERENCE)
    assert any(each.features for each in told.counterfactuals)
    assert again.counterfactuals == told.counterfactuals
    assert again.notes == told.notes


def test_a_policy_that_is_gone_is_noted() -> None:
    told = explain(SUBJECT, known(policies={}), REFERENCE)
    assert [each.about for each in told.counterfactuals] == ["campaign"]
    assert "is on llm.control no more" in told.notes[0]
    assert told.own is not None
    assert told.own.exchanges_needed is None


def test_features_that_do_not_give_the_logged_e_value_are_not_believed() -> None:
    log = known()
    forged = msgspec.structs.replace(log.decisions[2], e_value=123.0)
    told = explain(
        SUBJECT, log._replace(decisions=(*log.decisions[:2], forged)), REFERENCE
    )
    assert told.counterfactuals[0].features == ()
    assert "do not give its e-value" in told.notes[0]


def test_an_explanation_survives_json() -> None:
    told = explain(SUBJECT, known(stands=action()), REFERENCE)
    raw = msgspec.json.encode(told)
    assert msgspec.json.decode(raw, type=Explanation) == told
