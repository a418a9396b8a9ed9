"""What is done about the accounts of a campaign, and what forbids it.

Evidence proposes a move along the ladder (`streams.policy.ladder`). Allowlists,
releases and quiet hours may withhold it; mode entries, the policy's scenario and the
canaries say whether it is to be enforced (`streams.engine.publisher` does the rest).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.groups import Groups
from streams.campaigns.label_features import label_features
from streams.campaigns.link_views import AccountView
from streams.campaigns.member_features import MemberScale
from streams.contracts.records import Mode, Rung
from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_HOUR
from streams.engine.campaign_records import families_of
from streams.engine.campaigns_state import CampaignsState
from streams.engine.publisher import HARD, Publisher
from streams.engine.stage import Output
from streams.engine.verdict import Case, Verdict
from streams.errors import PolicyError
from streams.models.label_model import cautious, on_grid
from streams.models.reference import Reference
from streams.policy.conditions import Context, compile_condition, context_at
from streams.policy.ladder import RUNGS, Evidence, Step, climb, next_step
from streams.policy.policy import Policy, Scenario
from streams.policy.standing import Standing

__all__ = ["Decider"]

_CANARY_ALARMS: Final = 2
"""Canaries that would have been throttled within a day, at which nothing is enforced
any more: the daily budget expects far fewer than one."""

_NO_CONTEXT: Final[Context] = {}


class _Steps(NamedTuple):
    """From a rung: its own step, that if it may be renewed, and the next if it may be.

    As far as it depends on the campaign.
    """

    present: Step | None
    renewed: Step | None
    above: Step | None


_Moves = dict[Rung | None, _Steps]


class Decider:
    """Moves accounts along the ladder, under the policy and the operators' entries."""

    def __init__(
        self,
        state: CampaignsState,
        groups: Groups,
        reference: Reference,
        policy: Policy,
        *,
        mode: Mode,
        appeal_key: str = "",
    ) -> None:
        self._state = state
        self._groups = groups
        self._reference = reference
        self._scale = MemberScale.of(
            reference.member.weights, reference.member.intercept
        )
        self._limits: dict[float, float] = {}
        self._mode: Mode = mode
        self.publisher = Publisher(
            state, policy, reference=reference, appeal_key=appeal_key
        )
        self.policy = policy

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy = self.publisher.policy = policy
        self._conditional = policy.conditional
        first = policy.scenarios[0]
        everybody = (
            first.percentage >= 100
            and first.mode != "shadow"
            and "account" in first.subject_types
        )
        # The scenario that decides on everybody alike, if there is one.
        self._plain = first if everybody and not self._conditional else None
        # By rung, the last step up to it, and the first above it.
        steps = [None, *first.ladder, None]
        ats = {rung: next_step(rung, first.ladder) for rung in (None, *RUNGS)}
        self._steps = {rung: (steps[at], steps[at + 1]) for rung, at in ats.items()}
        every = [step for one in policy.scenarios for step in one.ladder]
        self._moves: dict[tuple[int, bool], _Moves] = {}
        self._fewest_uses = min((step.uses for step in every), default=0)
        self._least_e_value = min((step.e_value for step in every), default=0.0)

    def decide(
        self,
        minute: int,
        group: Group,
        campaign: Campaign,
        accounts: npt.NDArray[np.int64],
    ) -> Iterator[Output]:
        """Move accounts of a campaign, by number, as their evidence carries them."""
        if campaign.is_resting(minute, self._policy.cool_off_minutes):
            return
        standings, names = self._state.standing, self._groups.graph.names
        of_group, slack = group.uses, self._scale.slack
        moves = self._moves_of(campaign)
        scores, facts = self._groups.profile(group).look(accounts, self._scale)
        for at, (number, score) in enumerate(
            zip(accounts.tolist(), scores, strict=True)
        ):
            account = names[number]
            standing, uses = standings.get(account), of_group[account]
            if standing is not None and standing.released_uses:
                uses = standing.fresh_uses(uses)
            least = self._least_moving(standing, minute, uses, moves)
            if least is None or uses < self._fewest_uses:
                continue
            if least and score <= self._limit(least) - slack:
                continue  # it is plain, whatever rounding does
            case = self._case(account, minute, group, campaign, facts[at])
            yield from self._decide(case)

    def _moves_of(self, campaign: Campaign) -> _Moves:
        """Give the steps that accounts may move to, whatever speaks against each."""
        key = campaign.confirmations, campaign.is_one_network
        moves = self._moves.get(key)
        if moves is None:
            # As many uses as can be, and as large an e-value.
            seen = Evidence(0, sys.maxsize, math.inf, *key)

            def carried(step: Step | None) -> Step | None:
                return step if step is not None and seen.carries(step) else None

            moves = self._moves[key] = {
                rung: _Steps(present, carried(present), carried(above))
                for rung, (present, above) in self._steps.items()
            }
        return moves

    def _least_moving(
        self, standing: Standing | None, minute: int, uses: int, moves: _Moves
    ) -> float | None:
        """Tell cheaply from which e-value on an account moves; None: whatever it is.

        0 stands for one that has to be looked at in any case. ``moves`` are those of
        its campaign.

        Where one scenario decides on everybody alike, `climb` asks for evidence that
        carries the next step, or the present one when half of its time is over. Where
        neither is so, `_decide` would only publish what stands in another mode, and it
        stands in the one that it should. Labels lower an e-value, and never raise it:
        one that is too small without them does not have to be weighed.
        """
        if self._plain is None:
            return 0.0
        rung = None if standing is None else standing.rung
        present, renewed, above = moves[rung]
        least = None
        if above is not None and uses >= above.uses:
            least = above.e_value
        if standing is None or rung is None:
            return least
        if present is None or not self._is_in_force(standing):
            return 0.0
        if 2 * (standing.expires - minute) > present.minutes:
            return least
        if renewed is None or uses < renewed.uses:
            return least
        return present.e_value if least is None else min(least, present.e_value)

    def _limit(self, e_value: float) -> float:
        """Give the largest score of an account whose e-value is below ``e_value``."""
        limit = self._limits.get(e_value)
        if limit is None:
            limit = self._limits[e_value] = self._reference.member_limit(e_value)
        return limit

    def _is_in_force(self, standing: Standing) -> bool:
        """Tell cheaply that what stands is in the mode that it should be in.

        Without entries and under a plain scenario, that is the mode of all.
        """
        return (
            standing.mode == self._mode
            and not self._state.controls
            and not self._state.operation.fallen_back
        )

    def _case(
        self,
        account: str,
        minute: int,
        group: Group,
        campaign: Campaign,
        facts: npt.NDArray[np.float64] | None = None,
    ) -> Case:
        standing = self._state.standing.get(account) or Standing()
        member = self._groups.profile(group).member(account, facts)
        node = self._groups.graph.accounts[account]
        caution = self._caution(node, member)
        evidence = Evidence(
            minute,
            standing.fresh_uses(group.uses[account]),
            cautious(self._reference.assess_member(member), caution),
            campaign.confirmations,
            campaign.is_one_network,
        )
        return Case(account, node, standing, evidence, group, campaign, member, caution)

    def _caution(self, node: AccountView, member: Mapping[str, float]) -> float:
        """Tell by what labels lower an account's evidence; without labels by nothing.

        See `streams.models.label_model` for why what is left is still an e-value.
        """
        labels = self._state.labels
        if not labels.records:
            return 1.0
        features = label_features(self._groups.graph, node, member)
        return labels.factor(features, on_grid(self._reference.member_prior(member)))

    @property
    def reference(self) -> Reference:
        """The reference that evidence is taken from."""
        return self._reference

    def is_evident(self, e_value: float) -> bool:
        """Whether an account's evidence would do for the mildest step of any ladder."""
        return e_value >= self._least_e_value

    def _decide(self, case: Case) -> Iterator[Output]:
        standing, troubles = case.standing, list[str]()
        context = self._context(case)
        scenario = self._policy.scenario_for(
            context, on_error=lambda error: troubles.append(str(error))
        )
        if scenario is None:
            if troubles:
                yield from self._tell_trouble(case, self._policy.scenarios[0], troubles)
            return
        move = climb(
            standing.rung,
            standing.expires,
            scenario.ladder,
            case.evidence,
            permits=lambda step: _permits(step, context, troubles),
            direct=scenario.direct,
        )
        if move is not None:
            yield from self._act(Verdict(case, scenario, *move))
        elif troubles:
            yield from self._tell_trouble(case, scenario, troubles)
        elif standing.rung is not None:
            yield from self._follow_mode(self._restate(case, scenario))

    def _tell_trouble(
        self, case: Case, scenario: Scenario, troubles: list[str]
    ) -> Iterator[Output]:
        """Tell of a condition that could not be told; it counts as not holding."""
        at = min(
            next_step(case.standing.rung, scenario.ladder), len(scenario.ladder) - 1
        )
        verdict = Verdict(case, scenario, "issued", scenario.ladder[at])
        yield from self.publisher.withhold(verdict, troubles[0])

    def _act(self, verdict: Verdict) -> Iterator[Output]:
        forbidden = self._forbidden(verdict)
        if not forbidden:
            yield from self.publisher.publish(verdict, self._wanted_mode(verdict))
            return
        news = list(self.publisher.withhold(verdict, forbidden))
        yield from news
        if news and RUNGS.index(verdict.step.rung) >= HARD:
            yield from self._watch_canaries(verdict.case)

    def _forbidden(self, verdict: Verdict) -> str:
        """Say why a move must not happen; empty when it may."""
        case, rung = verdict.case, verdict.step.rung
        controls = self._state.controls
        entry = controls.allowlisted(case.facts, case.minute) if controls else None
        if entry is not None:
            return f"{rung}: {entry.subject} is allowlisted"
        if case.standing.is_cooling(case.minute, self._policy.cool_off_minutes):
            return "released by hand, and the cool-off is not over"
        if self._policy.holds_back(case.minute, rung):
            return f"quiet hours hold {rung} back"
        return ""

    def _watch_canaries(self, case: Case) -> Iterator[Output]:
        minute, state = case.minute, self._state
        if not state.controls.is_canary(case.facts, minute):
            return
        alarms = state.operation.note_canary_alarm(minute)
        if alarms >= _CANARY_ALARMS and not state.operation.fallen_back:
            state.operation.fallen_back = True
            summary = (
                f"{alarms} canaries would have been actioned within a day: everything "
                "is shadow until an entry sets the mode for *"
            )
            yield self.publisher.notice("canary_failed", minute, summary)
            yield from self.follow_modes(minute)

    def _wanted_mode(self, verdict: Verdict) -> Mode:
        """Tell the mode before caps."""
        case, state = verdict.case, self._state
        if state.operation.fallen_back:
            return "shadow"
        general = self._mode
        if state.controls:
            specific = state.controls.specific_mode(case.facts, case.minute)
            if specific is not None:
                return specific
            general = state.controls.general_mode(case.minute, self._mode)
        return verdict.scenario.mode_of(case.subject, general)

    def _follow_mode(self, verdict: Verdict | None, **origin: Any) -> Iterator[Output]:
        """Publish what stands again when its mode is not the wanted one any more."""
        if verdict is None:
            return
        wanted, was = self._wanted_mode(verdict), verdict.case.standing.mode
        if wanted != was:
            yield from self.publisher.publish(verdict, wanted, f"was {was}", **origin)

    def follow_modes(self, minute: int, **origin: Any) -> Iterator[Output]:
        """Publish again all that stands in another mode than it should."""
        for account in sorted(self._state.standing):
            yield from self._follow_mode(self._standing(account, minute), **origin)

    def approve(self, account: str, minute: int, **origin: Any) -> Iterator[Output]:
        """Publish what stands as agreed to by a person."""
        verdict = self._standing(account, minute)
        if verdict is not None:
            verdict.case.standing.approved = verdict.step.rung
            wanted = self._wanted_mode(verdict)
            yield from self.publisher.publish(verdict, wanted, "approved", **origin)

    def release(
        self, account: str, minute: int, reason: str, **origin: Any
    ) -> Iterator[Output]:
        """Lift what stands for an account; its evidence starts anew."""
        standing = self._state.standing.get(account) or Standing()
        self._state.stand(account, standing)
        if standing.rung is not None:
            lifted = self.publisher.lift("released", account, minute, reason, **origin)
            yield from lifted
        standing.release(minute, self._state.uses_of(account))

    def expire(self, minute: int) -> Iterator[Output]:
        """End the actions whose time is over by ``minute``, in order of their end."""
        for ends, account in self._state.expiring(minute):
            yield from self.publisher.lift("expired", account, ends)
            standing = self._state.standing[account]
            standing.expire()
            self._state.stand(account, standing)

    def _standing(self, account: str, minute: int) -> Verdict | None:
        """Restate what stands; None when nothing does, or its campaign is no more."""
        standing = self._state.standing[account]
        found = self._state.campaign(standing.campaign)
        if standing.rung is None or found is None or account not in found[0].uses:
            return None
        case = self._case(account, minute, *found)
        scenario = self._policy.scenario_for(self._context(case))
        return self._restate(case, scenario or self._policy.scenarios[0])

    def _restate(self, case: Case, scenario: Scenario) -> Verdict | None:
        ladders = [one.ladder for one in (scenario, *self._policy.scenarios)]
        for step in (step for ladder in ladders for step in ladder):
            if step.rung == case.standing.rung:
                return Verdict(case, scenario, "republished", step)
        return None

    def _context(self, case: Case) -> Context:
        """Collect what conditions see; nothing when there are none."""
        if not self._conditional:
            return _NO_CONTEXT
        node, group, campaign = case.node, case.group, case.campaign
        minute = case.minute
        age = (minute - node.created) / MINUTES_PER_DAY if node.created >= 0 else -1.0
        own = {
            "id": case.account,
            "uses": case.evidence.uses,
            "e_value": case.evidence.e_value,
            "events": node.events,
            "templated_share": node.templated / max(node.events, 1),
            "likeness": node.likeness / 100,
            "age_days": age,
            "rung": case.standing.rung or "",
        }
        theirs = {
            "id": campaign.identifier,
            "accounts": len(group.uses),
            "exchanges": group.exchanges,
            "e_value": campaign.e_value,
            "confirmations": campaign.confirmations,
            "age_hours": (minute - campaign.found) / MINUTES_PER_HOUR,
            "families": list(families_of(self._groups.graph, group)),
            "pivots": list(campaign.pivots),
        }
        return context_at(minute, own, theirs)


def _permits(step: Step, context: Context, troubles: list[str]) -> bool:
    try:
        return compile_condition(step.when).holds(context)
    except PolicyError as error:
        troubles.append(str(error))
        return False
