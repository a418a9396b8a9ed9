"""Tests of groups: at which looks, at which level, and what a rejection brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from streams.campaigns.campaign import Campaign, campaign_id
from streams.campaigns.group import Group
from streams.campaigns.group_features import group_features, has_owners, is_mixed
from streams.contracts.time_units import MINUTES_PER_DAY
from streams.engine.campaign_alerts import CampaignAlerts
from streams.engine.campaign_union import CampaignUnion
from streams.engine.campaigns_state import CampaignsState
from streams.engine.control_effects import watched_entries
from streams.engine.decider import Decider
from streams.engine.decision_records import TestTaken, tested_output
from streams.engine.evidence_records import group_evidence
from streams.engine.stage import Output
from streams.models.reference import (
    GROUP_LOOKS,
    Assessment,
    Reference,
    stratum_of,
)

__all__ = [
    "CONFIRMING_LEVEL",
    "LARGEST_SITE",
    "MIN_OWNERS",
    "GroupTests",
    "Observer",
]

MIN_OWNERS: Final = 5
"""Distinct owners a group needs before it is tested at all, fixed in advance."""

LARGEST_SITE: Final = 120
"""Accounts with one payment or one place beyond which a group is not tested: the groups
of the reference are no larger, but for some companies, and what is measured of a group
grows with its size. It was tested while it was smaller."""

CONFIRMING_LEVEL: Final = 1 / 20
"""Error level of a look that confirms a campaign, which the harder rungs ask for."""

Observer = Callable[[int, int, dict[str, float], Group], bool]
"""Called at each look with minute, look, features and group; builders use it. What is
true is taken for a campaign without any test: a simulation knows its campaigns."""


class GroupTests:
    """Tests groups that reached a look; one that is rejected is a campaign."""

    def __init__(
        self,
        state: CampaignsState,
        union: CampaignUnion,
        decider: Decider,
        alerts: CampaignAlerts,
        reference: Reference,
    ) -> None:
        self._state = state
        self._graph = state.graph
        self._union = union
        self._decider = decider
        self._alerts = alerts
        self._reference = reference
        self.observer: Observer | None = None

    def reached(self, group: Group) -> int:
        """Count the looks that a group has reached; those taken while it is small."""
        reached = group.look
        while reached < len(GROUP_LOOKS) and group.exchanges >= GROUP_LOOKS[reached]:
            reached += 1
        if reached > group.look and not has_owners(self._graph, group, MIN_OWNERS):
            return group.look
        return reached

    def take(self, minute: int, group: Group) -> Iterator[Output]:
        """Test a group that reached a look; one that is rejected is a campaign."""
        reached = self.reached(group)
        if reached == group.look:
            return
        group.look = reached
        if group.infrastructure and not is_mixed(self._graph, group):
            return  # one customer or one place explains it
        features = group_features(self._graph, group)
        look = reached - 1
        if self.observer is not None and self.observer(minute, look, features, group):
            self._confirm(minute, group, Assessment(0.0, {}, {}), 0.0)
            return
        if not self._is_comparable(group, features):
            return
        watched = sorted(
            watched_entries(self._state.controls, self._graph, group, minute)
        )
        purse = self._state.operation.purse(
            self._decider.policy,
            stratum_of(features),
            watched=bool(watched),
            reserved=self._state.controls.has_indicators,
        )
        known = self._state.campaigns.get(group.number)
        level = purse.level(minute) if known is None else CONFIRMING_LEVEL
        if not self._reachable(features, look, level):
            # No e-value could reach the level: the budget is not spent on it.
            if known is None and self._reachable(features, look, purse.fresh_level):
                yield from self._tell_exhausted(minute)
            return
        assessment = self._reference.assess_group(features, look, level)
        if known is None:
            # A campaign is found once: looks that confirm it cost nothing more, and
            # make no more benign groups campaigns.
            purse.spend(minute)
        left, daily = (purse.left(minute), purse.daily) if known is None else (0.0, 0.0)
        if assessment.e_value * level >= 1:
            campaign = self._confirm(minute, group, assessment, level)
            campaign.features, campaign.watched = features, watched
            if known is None:
                purse.note_find()
                yield self._alerts.found(minute, campaign, group)
        test = TestTaken(minute, look, level, left, daily)
        yield tested_output(
            test,
            group,
            self._state.campaigns.get(group.number),
            assessment.e_value,
            features=lambda: group_evidence(
                features, assessment.quantiles, watched, self._reference
            ),
            policy_version=self._decider.policy.version,
            model_version=self._reference.version,
        )

    def _is_comparable(self, group: Group, features: dict[str, float]) -> bool:
        """Tell whether the reference has groups like this one, if it needs a test."""
        if group.infrastructure:
            # Its accounts may have been found by their templates.
            return not any(self._union.pairs(group))
        return stratum_of(features) != "one_site" or len(group.uses) <= LARGEST_SITE

    def _reachable(self, features: dict[str, float], look: int, level: float) -> bool:
        """Tell whether the reference is large enough for a test at this level."""
        return self._reference.group_limit(features, look, level) * level >= 1

    def _confirm(
        self, minute: int, group: Group, assessment: Assessment, level: float
    ) -> Campaign:
        """Take note that a group was rejected; the first time makes it a campaign."""
        campaign = self._state.campaigns.get(group.number)
        if campaign is None:
            campaign = Campaign(
                identifier=campaign_id(group),
                started=group.first,
                found=minute,
                e_value=assessment.e_value,
                level=level,
            )
            self._state.put_campaign(group.number, campaign)
            for facet in group.facets:
                # Look again, at its next use, whether it is one with another campaign.
                self._graph.facets[facet].next_check = 0
            self._state.touch(group.facets)
        else:
            campaign.confirmations += 1
        campaign.e_value = assessment.e_value
        campaign.quantiles = assessment.quantiles
        return campaign

    def _tell_exhausted(self, minute: int) -> Iterator[Output]:
        """Tell, once a day, that groups go untested for want of budget."""
        day = minute // MINUTES_PER_DAY
        if self._state.operation.exhausted_day < day:
            self._state.operation.exhausted_day = day
            summary = (
                "the day's budget has become so thin that no evidence could reach its "
                "level: groups go untested until more of it falls due"
            )
            yield self._decider.publisher.notice("budget_exhausted", minute, summary)
