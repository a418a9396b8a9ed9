"""A case is what is known of an account; a verdict, what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.link_views import AccountView
from streams.policy.controls import Facts
from streams.policy.ladder import Evidence, Step
from streams.policy.policy import Scenario
from streams.policy.standing import Standing

__all__ = ["Case", "Verdict", "facts_of"]


class Case(NamedTuple):
    """One account of a campaign's group, in the minute of its evidence.

    ``member`` is what ties it to the group, as `GroupProfile.member` gives it;
    ``caution`` is the factor of its e-value that labels brought about.
    """

    account: str
    node: AccountView
    standing: Standing
    evidence: Evidence
    group: Group
    campaign: Campaign
    member: Mapping[str, float]
    caution: float = 1.0

    @property
    def minute(self) -> int:
        """Event time of the decision."""
        return self.evidence.minute

    @property
    def subject(self) -> str:
        """Subject of an action."""
        return f"account:{self.account}"

    @property
    def facts(self) -> Facts:
        """What operators' entries may be about."""
        return facts_of(self.account, self.node, self.campaign.identifier)


class Verdict(NamedTuple):
    """A move that is asked for; "republished" keeps rung and expiry as they are."""

    case: Case
    scenario: Scenario
    kind: Literal["issued", "escalated", "extended", "republished"]
    step: Step


def facts_of(account: str, node: AccountView | None, campaign: str) -> Facts:
    """Collect what operators' entries may be about.

    >>> facts_of("a", None, "dc-1")
    Facts(account='a', owner=0, facets=frozenset(), campaign='dc-1')
    """
    if node is None:
        return Facts(account, 0, frozenset(), campaign)
    facets = frozenset((*node.edges, *node.infrastructure)) - {0}
    return Facts(account, node.owner, facets, campaign)
