"""Explain a subject from the records that concern it: pure, from logged numbers only.

Nothing is worded that is not computed: what would have cleared a subject comes from
the ladder in force and the reference that decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from streams.contracts.records import Action, Alert, Decision
from streams.contracts.time_units import MS_PER_MINUTE
from streams.models.label_model import CAUTION, cautious
from streams.models.reference import Reference, is_one_network
from streams.policy.budget_ledger import ledger_date, ledger_entries
from streams.policy.campaign_seen import campaign_seen, rejecting_test
from streams.policy.counterfactual import Counterfactual, clear_account, clear_group
from streams.policy.explanation import (
    BudgetUse,
    CampaignSeen,
    Explanation,
    OwnEvidence,
    Reason,
    StandingNow,
    State,
    Versions,
)
from streams.policy.feature_words import feature_words, quantile_words
from streams.policy.ladder import Evidence, Step
from streams.policy.policy import Policy
from streams.policy.timeline import timeline

__all__ = ["Known", "explain"]

_ACCOUNT: Final = "account."
_ITS_OWN: Final = (_ACCOUNT, "label.")
_OWN_COUNT: Final = "account.templated_exchanges"
_PUBLISHED: Final = frozenset({"issued", "extended", "escalated"})
_WEIGHED: Final = _PUBLISHED | {"withheld"}
_ENDED: Final = frozenset({"released", "expired"})


class Known(NamedTuple):
    """The records that an explanation is made of, each once and in log order.

    ``actions`` has what stands, by subject; ``policies`` by their version.
    """

    decisions: Sequence[Decision]
    actions: Mapping[str, Action]
    alerts: Sequence[Alert]
    policies: Mapping[str, Policy]


def explain(
    subject: str, known: Known, reference: Reference, *, action_id: str | None = None
) -> Explanation:
    """Explain a subject, or the decision that made one of its actions.

    Counterfactuals are told only where ``reference`` is the one that decided.
    """
    own = [each for each in known.decisions if each.subject == subject]
    decided = _decided(own, action_id)
    campaign = _campaign_of(subject, known, decided)
    test = paid = None
    if campaign is not None:
        until = None if decided is None else decided.occurred_at
        test = rejecting_test(campaign, known.decisions, until)
        paid = rejecting_test(campaign, known.decisions, until, paid=True)
    notes: list[str] = []
    step = None if decided is None else _step(decided, known.policies, notes)
    if test is not None and is_one_network(_of_group(test)):
        notes.append(
            "most accounts of the campaign were last seen on one network: rungs with "
            "several_networks are closed to them"
        )
    standing = _standing(subject, own, known.actions.get(subject), campaign)
    action = known.actions.get(subject)
    token = action if action and standing.action_id == action.action_id else None
    versions = decided or test
    return Explanation(
        subject=subject,
        standing=standing,
        decision_id=None if decided is None else decided.decision_id,
        decided_at=None if versions is None else versions.occurred_at,
        reasons=_reasons(decided, test),
        own=None if decided is None else _own(decided, step),
        campaign=campaign,
        budget=_budget(campaign, paid),
        versions=Versions()
        if versions is None
        else Versions(
            scenario=versions.scenario,
            policy=versions.scenario_version,
            model=versions.model_version,
        ),
        counterfactuals=_counterfactuals(decided, step, test, reference, notes),
        timeline=timeline(subject, own, campaign, known.decisions, decided),
        reason_codes=() if token is None else token.reason_codes,
        appeal_token=None if token is None else token.appeal_token,
        notes=tuple(notes),
    )


def _decided(own: Sequence[Decision], action_id: str | None) -> Decision | None:
    """Give the decision that is asked about: that of an action, else the newest."""
    weighed = [each for each in own if each.kind in _WEIGHED]
    if action_id is not None:
        weighed = [each for each in weighed if each.action_id == action_id]
    published = [each for each in weighed if each.kind in _PUBLISHED]
    return next(reversed(published or weighed), None)


def _campaign_of(
    subject: str, known: Known, decided: Decision | None
) -> CampaignSeen | None:
    kind, _, name = subject.partition(":")
    if kind == "campaign":
        return campaign_seen(name, known.decisions, known.alerts, known.actions)
    found = "" if decided is None else decided.campaign_id
    action = known.actions.get(subject)
    if not found and action is not None:
        found = action.campaign_id
    if not found:
        found = next(
            (one.campaign_id for one in reversed(known.alerts) if name in one.accounts),
            "",
        )
    if not found:
        return None
    return campaign_seen(found, known.decisions, known.alerts, known.actions)


def _standing(
    subject: str,
    own: Sequence[Decision],
    action: Action | None,
    campaign: CampaignSeen | None,
) -> StandingNow:
    moves = [each for each in own if each.kind in _PUBLISHED | _ENDED]
    last = next(reversed(moves), None)
    if last is not None and last.kind in _ENDED:
        return StandingNow(
            state="released" if last.kind == "released" else "expired",
            rung=last.rung,
            mode=last.mode,
            since=last.occurred_at,
            action_id=last.action_id,
            sequence=last.sequence,
            why=_signed(last),
        )
    if action is not None:
        began = next(
            (one for one in own if one.rung == action.rung and one.kind in _PUBLISHED),
            None,
        )
        return StandingNow(
            state="standing",
            rung=action.rung,
            mode=action.mode,
            since=action.issued_at if began is None else began.occurred_at,
            until=action.expires_at,
            human_review=action.human_review,
            parameters=dict(action.parameters),
            action_id=action.action_id,
            sequence=action.sequence,
            why="" if last is None else last.reason,
        )
    withheld = next((one for one in reversed(own) if one.kind == "withheld"), None)
    if withheld is not None:
        return StandingNow(
            state="withheld", since=withheld.occurred_at, why=withheld.reason
        )
    if subject.startswith("campaign:") and campaign is not None:
        state: State = "released" if campaign.released else "found"
        return StandingNow(state=state, since=campaign.found_at, why=campaign.released)
    return StandingNow(state="nothing")


def _signed(decision: Decision) -> str:
    by = f"{decision.author}: " if decision.author else ""
    return f"{by}{decision.reason}"


def _step(
    decided: Decision, policies: Mapping[str, Policy], notes: list[str]
) -> Step | None:
    """Find the step that the decision was about, in the policy that decided."""
    policy = policies.get(decided.scenario_version)
    if policy is None:
        notes.append(
            f"policy {decided.scenario_version} is on llm.control no more: what its "
            "rungs need cannot be told, apart from the e-value"
        )
        return None
    for scenario in policy.scenarios:
        for step in scenario.ladder:
            if scenario.name == decided.scenario and step.rung == decided.rung:
                if step.when:
                    notes.append(f"the rung also asks for: {step.when}")
                return step
    return None


def _own(decided: Decision, step: Step | None) -> OwnEvidence:
    return OwnEvidence(
        exchanges=decided.exchanges,
        exchanges_needed=None if step is None else step.uses,
        e_value=decided.e_value,
        e_value_needed=decided.threshold,
        confirmations=decided.confirmations,
        confirmations_needed=None if step is None else step.confirmations,
    )


def _reasons(decided: Decision | None, test: Decision | None) -> tuple[Reason, ...]:
    """List the account's features, then those of the test that found its group."""
    features = [] if decided is None else list(decided.features)
    if test is not None:
        own = [each for each in features if each.name.startswith(_ITS_OWN)]
        features = [*own, *test.features]
    return tuple(
        Reason(
            name=each.name,
            about="account" if each.name.startswith(_ITS_OWN) else "campaign",
            words=feature_words(each.name),
            value=each.value,
            benign_quantile=each.benign_quantile,
            quantile_words=quantile_words(each.name, each.benign_quantile),
            weight=each.weight,
        )
        for each in features
    )


def _budget(campaign: CampaignSeen | None, test: Decision | None) -> BudgetUse | None:
    entry = next(iter(ledger_entries([test] if test else [])), None)
    if campaign is None or entry is None:
        return None
    return BudgetUse(
        day=ledger_date(entry.at),
        daily=entry.daily,
        before=entry.left + entry.level,
        after=entry.left,
        spent=sum(one.level for one in campaign.tests if one.budget_left),
        tests=len(campaign.tests),
    )


def _counterfactuals(
    decided: Decision | None,
    step: Step | None,
    test: Decision | None,
    reference: Reference,
    notes: list[str],
) -> tuple[Counterfactual, ...]:
    found = []
    if decided is not None and step is not None:
        minute = decided.occurred_at // MS_PER_MINUTE
        seen = Evidence(
            minute, decided.exchanges, decided.e_value, decided.confirmations
        )
        same = _same_reference(decided, reference, notes)
        member = {
            each.name.removeprefix(_ACCOUNT): each.value
            for each in decided.features
            if each.name.startswith(_ACCOUNT) and each.name != _OWN_COUNT
        }
        caution = next(
            (each.value for each in decided.features if each.name == CAUTION), 1.0
        )
        own = cautious(reference.assess_member(member), caution) if same else 0.0
        if same and member and own != decided.e_value:
            notes.append("the account's logged features do not give its e-value")
            member = {}
        found.append(
            clear_account(
                step, seen, member or None, reference if same else None, caution=caution
            )
        )
    if test is not None and _same_reference(test, reference, notes):
        found.append(clear_group(_of_group(test), test.look, test.level, reference))
    return tuple(found)


def _of_group(test: Decision) -> dict[str, float]:
    """Give what was measured of a tested group; what was 0 is left out."""
    return {each.name.partition(".")[2]: each.value for each in test.features}


def _same_reference(decision: Decision, reference: Reference, notes: list[str]) -> bool:
    # With a catalogue of templates the version names that, too, after a plus sign.
    if decision.model_version.partition("+")[0] == reference.version:
        return True
    told = (
        f"reference {decision.model_version} decided, and this is "
        f"{reference.version}: no feature values that would have cleared it"
    )
    if told not in notes:
        notes.append(told)
    return False
