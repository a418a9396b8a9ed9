"""What people are told of campaigns: found, grown, merged with another, moved on.

The alerts of a campaign are one thread, and together they name its accounts: each alert
those that none before it has named. What was tested, or was a campaign of its own, is
named whole, as far as it fits into the alert. Of those who come to its templates later,
the ones who have no more in common with the campaign than bystanders have are counted,
but not named: a template may be a sentence that honest people write as well. They are
looked at again each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.member_features import MemberScale
from streams.campaigns.model_mix import Move
from streams.contracts.records import AlertKind, Severity
from streams.contracts.time_units import MINUTES_PER_HOUR
from streams.engine.campaign_records import alert_output
from streams.engine.campaigns_state import CampaignsState
from streams.engine.stage import Output
from streams.models.reference import Reference

__all__ = ["GROWTH", "MOST_NAMED", "SHARING_GROWTH", "TIED", "CampaignAlerts"]

GROWTH: Final = 2.0
"""Times the accounts named so far at which a campaign's growth is told at once, as a
warning. Less than that is told an hour after the last alert."""

SHARING_GROWTH: Final = 1.25
"""The same without templates, where nothing but the alerts names the accounts."""

MOST_NAMED: Final = 1000
"""Accounts that an alert names at most, so that it stays below Kafka's 1 MB with ids of
500 characters. The next alert names the others."""

TIED: Final = 0.75
"""Share of the reference's bystanders who have fewer ties than a latecomer who is
named. No action follows from it: those ask for a hundred times as much."""

_ONE_NETWORK: Final = (
    "; most were last seen on one network: is it a school, or a customer that sends no "
    "organization ids?"
)


class CampaignAlerts:
    """Continues each campaign's thread of alerts."""

    def __init__(self, state: CampaignsState, reference: Reference) -> None:
        self._state = state
        self._reference = reference
        self._scale = MemberScale.of(
            reference.member.weights, reference.member.intercept
        )

    def found(self, minute: int, campaign: Campaign, group: Group) -> Output:
        """Tell of a campaign for the first time."""
        shared = (
            "payments or networks that hardly anyone else uses"
            if group.infrastructure
            else "templates"
        )
        summary = (
            f"{len(group.uses)} accounts share {shared} and coordinate: "
            f"{group.exchanges} exchanges, e-value {campaign.e_value:.0f}"
        )
        if campaign.is_one_network:
            summary += _ONE_NETWORK
        return self._alert("campaign_found", minute, campaign, group, summary)

    def grown(self, minute: int, campaign: Campaign, group: Group) -> Iterator[Output]:
        """Tell of a campaign that has grown since it was last told of."""
        accounts = len(group.uses)
        fresh = accounts - campaign.announced
        growth = SHARING_GROWTH if group.infrastructure else GROWTH
        much = (growth - 1) * campaign.announced
        late = fresh > 0 and minute - campaign.told >= MINUTES_PER_HOUR
        if not (fresh >= much or late or fresh >= MOST_NAMED):
            return
        tied, others = self._tied(campaign, group)
        if not tied:
            self._name(minute, campaign, group, tied)  # when it was asked, is known
            return
        summary = f"grown to {accounts - others} accounts"
        if others:
            summary += f"; {others} others share a template and little else with it"
        yield self._alert(
            "campaign_grown",
            minute,
            campaign,
            group,
            summary,
            accounts=tied,
            severity=None if len(tied) >= much else "info",
        )

    def merged(
        self, minute: int, campaign: Campaign, group: Group, given_up: str
    ) -> Output:
        """Tell that a campaign goes on as part of another, and ``given_up`` ends."""
        summary = f"campaign {given_up} is part of {campaign.identifier}"
        return self._alert("campaign_merged", minute, campaign, group, summary)

    def moved(
        self, minute: int, campaign: Campaign, group: Group, move: Move
    ) -> Output:
        """Tell that a campaign moves to another model."""
        tied, _ = self._tied(campaign, group)
        return self._alert(
            "campaign_pivoted",
            minute,
            campaign,
            group,
            move.summary,
            accounts=tied,
            severity=move.severity,
        )

    def _alert(
        self,
        kind: AlertKind,
        minute: int,
        campaign: Campaign,
        group: Group,
        summary: str,
        *,
        accounts: list[str] | None = None,
        severity: Severity | None = None,
    ) -> Output:
        """Make an alert that names ``accounts``, by default all not named yet."""
        if accounts is None:
            accounts = self._unnamed(campaign, group)
        return alert_output(
            kind,
            minute,
            campaign,
            group,
            self._state.groups,
            model_version=self._reference.version,
            summary=summary,
            accounts=self._name(minute, campaign, group, accounts),
            severity=severity,
        )

    def _unnamed(self, campaign: Campaign, group: Group) -> list[str]:
        naming, name = self._state.graph.named, campaign.identifier
        return [account for account in group.uses if naming.get(account) != name]

    def _tied(self, campaign: Campaign, group: Group) -> tuple[list[str], int]:
        """Give those not named yet who have more ties than most bystanders.

        And the number of the others. What began with shared infrastructure is tied.
        """
        unnamed = self._unnamed(campaign, group)
        if group.infrastructure or not unnamed:
            return unnamed, 0
        numbers = self._state.graph.numbers_of(unnamed)
        scores, _ = self._state.groups.profile(group).look(numbers, self._scale)
        quantile = self._reference.member_quantile
        tied = [
            account
            for account, score in zip(unnamed, scores, strict=True)
            if quantile(score) >= TIED
        ]
        return tied, len(unnamed) - len(tied)

    def _name(
        self, minute: int, campaign: Campaign, group: Group, accounts: list[str]
    ) -> list[str]:
        """Take note that the most active of some accounts are named; give these."""
        naming, uses = self._state.graph.named, group.uses
        accounts.sort(key=lambda account: (-uses[account], account))
        named = accounts[:MOST_NAMED]
        naming.update(dict.fromkeys(named, campaign.identifier))
        self._state.touch((), named)
        self._state.touch_group(group.number)
        campaign.announced = len(uses) - len(accounts) + len(named)
        campaign.told = minute
        return named
