"""What people are told of campaigns: found, grown, merged with another, moved on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.model_mix import Move
from streams.contracts.records import AlertKind, Severity
from streams.engine.campaign_records import alert_output
from streams.engine.stage import Output

__all__ = ["GROWTH", "SHARING_GROWTH", "CampaignAlerts"]

GROWTH: Final = 2.0
"""Times the accounts of the last alert at which a campaign's growth is told again."""

SHARING_GROWTH: Final = 1.25
"""The same without templates, where nothing but the alerts names the accounts."""


class CampaignAlerts:
    """Continues each campaign's thread of alerts."""

    def __init__(self, graph: LinkGraph, model_version: str) -> None:
        self._graph = graph
        self._model_version = model_version

    def found(self, minute: int, campaign: Campaign, group: Group) -> Output:
        """Tell of a campaign for the first time."""
        campaign.announced = len(group.uses)
        shared = (
            "payments or networks that hardly anyone else uses"
            if group.infrastructure
            else "templates"
        )
        summary = (
            f"{len(group.uses)} accounts share {shared} and coordinate: "
            f"{group.exchanges} exchanges, e-value {campaign.e_value:.0f}"
        )
        return self._alert("campaign_found", minute, campaign, group, summary)

    def grown(self, minute: int, campaign: Campaign, group: Group) -> Iterator[Output]:
        """Tell of a campaign that has grown a good deal since it was last told of."""
        growth = SHARING_GROWTH if group.infrastructure else GROWTH
        if len(group.uses) >= growth * campaign.announced:
            campaign.announced = len(group.uses)
            summary = f"grown to {len(group.uses)} accounts"
            yield self._alert("campaign_grown", minute, campaign, group, summary)

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
            self._graph,
            model_version=self._model_version,
            summary=summary,
            severity=severity,
        )
