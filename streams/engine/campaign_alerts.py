"""What people are told of campaigns: found, grown, merged with another, moved on.

The alerts of a campaign are one thread, and together they name all its accounts: each
alert those that none before it has named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.model_mix import Move
from streams.contracts.records import AlertKind, Severity
from streams.contracts.time_units import MINUTES_PER_HOUR
from streams.engine.campaign_records import alert_output
from streams.engine.campaigns_state import CampaignsState
from streams.engine.stage import Output

__all__ = ["GROWTH", "MOST_NAMED", "SHARING_GROWTH", "CampaignAlerts"]

GROWTH: Final = 2.0
"""Times the accounts named so far at which a campaign's growth is told at once, as a
warning. Less than that is told an hour after the last alert."""

SHARING_GROWTH: Final = 1.25
"""The same without templates, where nothing but the alerts names the accounts."""

MOST_NAMED: Final = 1000
"""Accounts that an alert names at most, so that it stays below Kafka's 1 MB with ids of
500 characters. The next alert names the others."""

_ONE_NETWORK: Final = (
    "; most were last seen on one network: is it a school, or a customer that sends no "
    "organization ids?"
)


class CampaignAlerts:
    """Continues each campaign's thread of alerts."""

    def __init__(self, state: CampaignsState, model_version: str) -> None:
        self._state = state
        self._model_version = model_version

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
        unnamed = accounts - campaign.announced
        growth = SHARING_GROWTH if group.infrastructure else GROWTH
        much = accounts >= growth * campaign.announced
        late = unnamed > 0 and minute - campaign.told >= MINUTES_PER_HOUR
        if much or late or unnamed >= MOST_NAMED:
            yield self._alert(
                "campaign_grown",
                minute,
                campaign,
                group,
                f"grown to {accounts} accounts",
                severity=None if much else "info",
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
        return self._alert(
            "campaign_pivoted",
            minute,
            campaign,
            group,
            move.summary,
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
        severity: Severity | None = None,
    ) -> Output:
        return alert_output(
            kind,
            minute,
            campaign,
            group,
            self._state.groups,
            model_version=self._model_version,
            summary=summary,
            accounts=self._name(minute, campaign, group),
            severity=severity,
        )

    def _name(self, minute: int, campaign: Campaign, group: Group) -> list[str]:
        """Choose accounts that were not named yet, the most active first."""
        naming, uses = self._state.graph.named, group.uses
        name = campaign.identifier
        unnamed = [account for account in uses if naming.get(account) != name]
        unnamed.sort(key=lambda account: (-uses[account], account))
        named = unnamed[:MOST_NAMED]
        naming.update(dict.fromkeys(named, name))
        self._state.touch((), named)
        self._state.touch_group(group.number)
        campaign.announced = len(uses) - len(unnamed) + len(named)
        campaign.told = minute
        return named
