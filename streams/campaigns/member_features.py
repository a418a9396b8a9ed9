"""What ties one account to a group, apart from having used one of its templates.

A template may be a sentence that honest people write as well. Whoever uses it but has
nothing else in common with the group is a bystander, and is compared with bystanders.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from typing import Final

from streams.campaigns.creation_batches import batch_mates
from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_WEEK
from streams.features.account_row import INFRASTRUCTURE_KINDS, TEMPLATE_KINDS

__all__ = ["MEMBER_FEATURES", "GroupProfile"]

MEMBER_FEATURES: Final = (
    "uses",  # templated exchanges of the account in the group, logarithmic
    "templates",  # how many of the group's templates it uses, beyond the first
    "share",  # share of the account's traffic that uses them
    "infrastructure",  # facets shared with the group and hardly anyone else
    "cohort",  # share of the group created within a day of the account
    "batch",  # accounts of the group opened in the same half hour, logarithmic
    "young",  # whether the account began within a week of its creation
)

_USES_SCALE: Final = 6  # log2 of 64 uses
_TEMPLATES_SCALE: Final = 4
_BATCH_SCALE: Final = 3  # log2 of 8 accounts
_MIN_SHARING: Final = 2


class GroupProfile:
    """A group as a whole, kept up to date for looking at its accounts one by one."""

    def __init__(self, graph: LinkGraph, group: Group) -> None:
        self._graph = graph
        self._group = group
        self._created: list[int] = []
        self._users: dict[int, int] = {}
        self._shared: set[int] = set()
        for account in group.uses:
            self.join(account)

    def join(self, account: str) -> None:
        """Take in an account that has become one of the group's."""
        node = self._graph.accounts[account]
        if node.created >= 0:
            insort(self._created, node.created)
        for facet in self._graph.sorted_edges(account).infrastructure:
            self.link(facet)

    def link(self, facet: int) -> None:
        """Count one more of the group's accounts on an infrastructure facet."""
        users = self._users[facet] = self._users.get(facet, 0) + 1
        if users == _MIN_SHARING:
            self._shared.add(facet)

    def member(self, account: str) -> dict[str, float]:
        """Describe an account of the group; names as in `MEMBER_FEATURES`, 0 to 1."""
        node = self._graph.accounts[account]
        uses = self._group.uses[account]
        first = self._graph.sorted_edges(account).first
        known = node.created >= 0
        features = {
            "uses": math.log2(1 + uses) / _USES_SCALE,
            "templates": (self._templates(account) - 1) / _TEMPLATES_SCALE,
            "share": uses / max(node.events, 1),
            "infrastructure": self._infrastructure(account),
            "cohort": self._cohort(node.created) if known else 0.0,
            "batch": self._batch(node.created) if known else 0.0,
            "young": float(known and 0 <= first - node.created < MINUTES_PER_WEEK),
        }
        return {name: round(min(value, 1.0), 6) for name, value in features.items()}

    def _templates(self, account: str) -> int:
        """Count the group's templates that an account uses, by the kind with most."""
        facets, number = self._graph.facets, self._group.number
        kinds = [0] * len(TEMPLATE_KINDS)
        for facet in self._graph.templates_of(account):
            node = facets[facet]
            if node.group == number:
                kinds[node.kind] += 1
        return max(kinds)

    def _batch(self, created: int) -> float:
        return math.log2(1 + batch_mates(self._created, created)) / _BATCH_SCALE

    def _infrastructure(self, account: str) -> float:
        best: dict[int, float] = {}
        facets, users = self._graph.facets, self._users
        used = self._graph.sorted_edges(account).infrastructure
        for facet in self._shared.intersection(used):
            node = facets[facet]
            purity = node.purity(users[facet])
            if purity > best.get(node.kind, 0.0):
                best[node.kind] = purity
        return math.fsum(best.values()) / len(INFRASTRUCTURE_KINDS)

    def _cohort(self, created: int) -> float:
        near = bisect_right(self._created, created + MINUTES_PER_DAY) - bisect_left(
            self._created, created - MINUTES_PER_DAY
        )
        others = len(self._created) - 1
        return (near - 1) / others if others else 0.0
