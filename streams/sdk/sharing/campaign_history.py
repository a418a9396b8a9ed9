"""What the alerts and actions of a campaign say about it so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from streams.contracts import Action, Alert
from streams.policy.campaign_seen import named_accounts

__all__ = ["CampaignHistory", "campaign_histories"]

_ABOUT_CAMPAIGNS: Final = "campaign_"
"""Kinds of alert that begin so describe a campaign; others are news of the system."""


class CampaignHistory(NamedTuple):
    """The newest alert of a campaign, the time of its oldest, and its actions.

    ``found_at`` is event time in ms; ``actions`` holds the newest action of each
    subject, by subject; ``accounts`` are all that its alerts name, in their order;
    ``merged_into`` is the campaign that it is part of by now.
    """

    newest: Alert
    found_at: int
    actions: tuple[Action, ...]
    accounts: tuple[str, ...] = ()
    merged_into: str = ""

    @property
    def state(self) -> Literal["active", "released", "merged"]:
        """Whether operators have released it since, or another one goes on for it."""
        if self.newest.kind == "campaign_released":
            return "released"
        return "merged" if self.merged_into else "active"

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
    threads: dict[str, list[Alert]] = {}
    merges: list[Alert] = []
    for alert in alerts:
        if not alert.kind.startswith(_ABOUT_CAMPAIGNS):
            continue
        threads.setdefault(alert.campaign_id, []).append(alert)
        if alert.kind == "campaign_merged":
            merges.append(alert)
    # The alert of the campaign that goes on names the other one, in words only.
    merged = {
        word: alert.campaign_id
        for alert in sorted(merges, key=lambda each: each.occurred_at)
        for word in alert.summary.split()
        if word in threads and word != alert.campaign_id
    }
    found = {name: min(a.occurred_at for a in own) for name, own in threads.items()}
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
            max(threads[name], key=lambda alert: alert.sequence),
            found[name],
            tuple(of_campaign.get(name, ())),
            named_accounts(threads[name]),
            merged.get(name, ""),
        )
        for name in sorted(threads, key=lambda name: (found[name], name))
    }
