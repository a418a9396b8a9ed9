"""Actions out, and the circuit breakers in front of them.

One standing action a subject: whatever is published raises its sequence, and whatever
ends it is a tombstone. Each step is told on llm.decisions, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import is_
from typing import Any, Final, Literal

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.contracts.records import AlertKind, DecisionKind, Feature, Mode
from streams.contracts.time_units import MINUTES_PER_DAY
from streams.engine.campaign_records import (
    action_id,
    action_output,
    alert_output,
    campaign_features,
    notice_output,
    own_feature,
)
from streams.engine.campaigns_state import CampaignsState
from streams.engine.decision_records import decision_output, tombstone_output
from streams.engine.evidence_records import caution_evidence, member_evidence
from streams.engine.stage import Output
from streams.engine.verdict import Case, Verdict
from streams.models.reference import Reference
from streams.policy.ladder import RUNGS
from streams.policy.policy import Policy
from streams.policy.standing import Standing

__all__ = ["HARD", "Publisher"]

HARD: Final = RUNGS.index("throttle")
"""From here on a customer notices."""


class Publisher:
    """Changes standing actions and makes the records that say so."""

    def __init__(
        self,
        state: CampaignsState,
        policy: Policy,
        *,
        reference: Reference,
        appeal_key: str,
    ) -> None:
        self.policy = policy
        self._state = state
        self._reference = reference
        self._model = reference.version
        self._appeal_key = appeal_key
        self._listed: dict[str, tuple[tuple[Any, ...], tuple[Feature, ...]]] = {}

    def publish(
        self, verdict: Verdict, wanted: Mode, reason: str = "", **origin: Any
    ) -> Iterator[Output]:
        """Publish a verdict; beyond a cap it is shadow, whatever was wanted."""
        case, step, minute = verdict.case, verdict.step, verdict.case.minute
        standing, mode = case.standing, wanted
        if wanted == "enforce":
            broken = self._count_enforced(verdict)
            if broken and standing.mode == "shadow" and verdict.kind == "republished":
                return
            if broken:
                mode, reason = "shadow", f"above the cap of {broken}"
                if self._state.operation.breakers.is_news(minute, broken):
                    summary = f"above the cap of {broken}: further actions are shadow"
                    yield self.notice("breaker_tripped", minute, summary)
        if mode == "shadow":
            self._leave_enforcement(standing)
        expires = standing.expires
        if verdict.kind != "republished":
            repeats = standing.repeats + standing.ran_out
            expires = minute + verdict.scenario.minutes_of(step, repeats)
        campaign = case.campaign.identifier
        standing.put(step.rung, expires=expires, mode=mode, campaign=campaign)
        standing.action_id = action_id(case, step)
        self._state.stand(case.account, standing)
        yield action_output(
            verdict,
            self._campaign_features(case.campaign),
            policy_version=self.policy.version,
            model_version=self._model,
            appeal_key=self._appeal_key,
        )
        kind = "extended" if verdict.kind == "republished" else verdict.kind
        yield self._decision(kind, verdict, reason, origin)

    def withhold(self, verdict: Verdict, reason: str) -> Iterator[Output]:
        """Tell, once, why a move did not happen."""
        standing = verdict.case.standing
        if standing.withheld != reason:
            standing.withheld = reason
            self._state.stand(verdict.case.account, standing)
            yield self._decision("withheld", verdict, reason, {})

    def lift(
        self,
        kind: Literal["released", "expired"],
        account: str,
        minute: int,
        reason: str = "",
        **origin: Any,
    ) -> Iterator[Output]:
        """Lift what stands; the caller changes the standing action behind it."""
        standing, subject = self._state.standing[account], f"account:{account}"
        self._leave_enforcement(standing)
        yield tombstone_output(subject, minute, standing.action_id)
        yield decision_output(
            kind,
            subject,
            minute,
            campaign_id=standing.campaign,
            action_id=standing.action_id,
            sequence=standing.sequence,
            rung=standing.rung,
            mode=standing.mode,
            reason=reason,
            scenario_version=self.policy.version,
            model_version=self._model,
            **origin,
        )

    def campaign_released(
        self, minute: int, group: Group, campaign: Campaign, author: str
    ) -> Output:
        """Make the alert that a person let a campaign be."""
        return alert_output(
            "campaign_released",
            minute,
            campaign,
            group,
            self._state.groups,
            model_version=self._model,
            summary=f"released by {author}, with its {len(group.uses)} accounts",
        )

    def notice(self, kind: AlertKind, minute: int, summary: str) -> Output:
        """Make an alert about the operation as a whole."""
        sequence = self._state.operation.next_notice()
        return notice_output(kind, minute, sequence, summary, model_version=self._model)

    def _decision(
        self,
        kind: DecisionKind,
        verdict: Verdict,
        reason: str,
        origin: Mapping[str, Any],
    ) -> Output:
        case, published = verdict.case, kind != "withheld"
        return decision_output(
            kind,
            case.subject,
            case.minute,
            campaign_id=case.campaign.identifier,
            action_id=case.standing.action_id if published else None,
            sequence=case.standing.sequence if published else 0,
            rung=verdict.step.rung,
            mode=case.standing.mode if published else None,
            e_value=case.evidence.e_value,
            threshold=verdict.step.e_value,
            exchanges=case.evidence.uses,
            confirmations=case.evidence.confirmations,
            features=self._features(case),
            scenario=verdict.scenario.name,
            reason=reason,
            scenario_version=self.policy.version,
            model_version=self._model,
            **origin,
        )

    def _features(self, case: Case) -> tuple[Feature, ...]:
        ties = member_evidence(case.member, self._reference)
        labels = caution_evidence(case.caution, self._state.labels.taught)
        campaign = self._campaign_features(case.campaign)
        return own_feature(case), *ties, *labels, *campaign

    def _campaign_features(self, campaign: Campaign) -> tuple[Feature, ...]:
        """List a campaign's features; they are new objects when it is confirmed."""
        of = campaign.features, campaign.quantiles, campaign.watched
        known = self._listed.get(campaign.identifier)
        if known is None or not all(map(is_, known[0], of)):
            known = of, tuple(campaign_features(campaign))
            self._listed[campaign.identifier] = known
        return known[1]

    def _count_enforced(self, verdict: Verdict) -> str:
        """Count an action that is to be enforced, or name the cap that it breaks."""
        case = verdict.case
        standing, minute, node = case.standing, case.minute, case.node
        adds = 0
        hard = RUNGS.index(verdict.step.rung) >= HARD
        if hard and not standing.daily:
            days = max((minute - node.first) / MINUTES_PER_DAY, 1.0)
            adds = max(round(node.events / days), 1)
        stays = standing.rung is not None and standing.mode == "enforce"
        if stays and not adds and verdict.kind in ("extended", "republished"):
            return ""
        breakers, traffic = (
            self._state.operation.breakers,
            self._state.operation.traffic.total(),
        )
        broken = breakers.exceeded(
            self.policy.caps, minute, node.owner, adds=adds, traffic=traffic
        )
        if not broken:
            breakers.count(minute, node.owner, adds=adds)
            standing.daily += adds
        return broken

    def _leave_enforcement(self, standing: Standing) -> None:
        self._state.operation.breakers.daily -= standing.daily
        standing.daily = 0
