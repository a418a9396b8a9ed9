"""What the alerts and actions of a campaign say about it so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from streams.contracts import Action, Alert

__all__ = ["CampaignHistory", "campaign_histories"]

_ABOUT_CAMPAIGNS: Final = "campaign_"
"""Kinds of alert that begin so describe a campaign; others are news of the system."""


class CampaignHistory(NamedTuple):
    """The newest alert of a campaign, the time of its oldest, and its actions.

    ``found_at`` is event time in ms; ``actions`` holds the newest action of each
    subject, by subject.
    """

    newest: Alert
    found_at: int
    actions: tuple[Action, ...]

    @property
    def state(self) -> Literal["active", "released"]:
        """Whether operators have released it since."""
        released = self.newest.kind == "campaign_released"
        return "released" if released else "active"

    def rungs(self) -> dict[str, int]:
        """Count its subjects by mode and rung, for example ``shadow throttle``."""
        counts: dict[str, int] = {}
        for action in self.actions:
            name = f"{action.mode} {action.rung}"
            counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))


def campaign_histories(
    alerts: Iterable[Alert], actions: Iterable[Action]
) -> dict[str, CampaignHistory]:
    """Sort records by campaign; the order of the records does not matter.

    The oldest campaign comes first. An action of a subject replaces those with a lower
    sequence, also those of another campaign.
    """
    newest: dict[str, Alert] = {}
    found: dict[str, int] = {}
    for alert in alerts:
        if not alert.kind.startswith(_ABOUT_CAMPAIGNS):
            continue
        known = newest.setdefault(alert.campaign_id, alert)
        if alert.sequence > known.sequence:
            newest[alert.campaign_id] = alert
        at = found.setdefault(alert.campaign_id, alert.occurred_at)
        found[alert.campaign_id] = min(at, alert.occurred_at)
    standing: dict[str, Action] = {}
    for action in actions:
        held = standing.setdefault(action.subject, action)
        if action.sequence > held.sequence:
            standing[action.subject] = action
    of_campaign: dict[str, list[Action]] = {}
    for subject in sorted(standing):
        action = standing[subject]
        of_campaign.setdefault(action.campaign_id, []).append(action)
    return {
        name: CampaignHistory(
            newest[name], found[name], tuple(of_campaign.get(name, ()))
        )
        for name in sorted(newest, key=lambda name: (found[name], name))
    }
