"""How a campaign that was found by templates and one found by sharing become one.

Its templates say more about each account than what the accounts share, so the group of
the templates stays, under the name that was told first.
"""

from __future__ import annotations

from collections.abc import Iterator

from streams.campaigns.group import Group
from streams.campaigns.groups import MIN_ABSORBED, MIN_OVERLAP
from streams.campaigns.shared_infrastructure import SharedInfrastructure
from streams.engine.campaigns_state import CampaignsState

__all__ = ["CampaignUnion"]


class CampaignUnion:
    """Finds groups of both kinds that are the same accounts, and joins them."""

    def __init__(self, state: CampaignsState, sharing: SharedInfrastructure) -> None:
        self._state = state
        self._sharing = sharing

    def pairs(self, group: Group) -> Iterator[tuple[Group, Group]]:
        """Give (found by its templates, begun with sharing) where both are one."""
        state = self._state
        if group.infrastructure:
            shared = sorted(self._sharing.covering(group).items())
            for number, count in shared:
                other = state.groups.by_number[number]
                if number in state.campaigns and self._are_one(count, group):
                    yield other, group
                    return
        elif group.number in state.campaigns:
            for number, count in sorted(self._sharing.covered(group).items()):
                other = state.groups.by_number[number]
                if self._are_one(count, other):
                    yield group, other

    def _are_one(self, shared: int, sharing: Group) -> bool:
        if sharing.number in self._state.campaigns:
            # Both were found already: this is about identity, not about evidence. But
            # what the templates do not tell of would be lost.
            return shared >= MIN_OVERLAP * len(sharing.uses)
        return shared >= MIN_ABSORBED * len(sharing.uses)

    def unite(self, into: Group, source: Group) -> str:
        """Join a pair; give the name that is given up, empty if there is none."""
        state = self._state
        found = state.campaigns.pop(source.number, None)
        self._sharing.drop(source)
        state.touch_group(source.number)
        state.touch(source.facets)
        if found is None:
            return ""
        campaign, given_up = state.campaigns[into.number], found.identifier
        if found.found < campaign.found:
            given_up, campaign.identifier = campaign.identifier, found.identifier
            campaign.sequence, campaign.found = found.sequence, found.found
            campaign.released = max(campaign.released, found.released)
        campaign.merged += sorted({given_up, *found.merged} - {campaign.identifier})
        campaign.started = min(campaign.started, found.started)
        state.put_campaign(into.number, campaign)
        state.touch_group(into.number)
        return given_up
