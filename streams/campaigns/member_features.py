"""What ties one account to a group, apart from having used one of its templates.

A template may be a sentence that honest people write as well. Whoever uses it but has
nothing else in common with the group is a bystander, and is compared with bystanders.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Final

from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.features.account_row import INFRASTRUCTURE_KINDS

__all__ = ["MEMBER_FEATURES", "GroupProfile"]

MEMBER_FEATURES: Final = (
    "uses",  # templated exchanges of the account in the group, logarithmic
    "templates",  # how many of the group's templates the account uses
    "share",  # share of the account's traffic that uses them
    "infrastructure",  # facets shared with the group and hardly anyone else
    "cohort",  # share of the group created within a day of the account
    "young",  # whether the account began within a week of its creation
)

_DAY_MINUTES: Final = 1440
_WEEK_MINUTES: Final = 7 * 1440
_USES_SCALE: Final = 6  # log2 of 64 uses
_TEMPLATES_SCALE: Final = 3
_MIN_SHARING: Final = 2


class GroupProfile:
    """A group as a whole, prepared for looking at its accounts one by one."""

    def __init__(self, graph: LinkGraph, group: Group) -> None:
        self._graph = graph
        self._group = group
        nodes = [graph.accounts[account] for account in group.uses]
        self._created = sorted(node.created for node in nodes if node.created >= 0)
        users: dict[int, int] = {}
        for node in nodes:
            for facet in node.edges:
                if not graph.facets[facet].is_template:
                    users[facet] = users.get(facet, 0) + 1
        self._purity = {
            facet: min(count / max(graph.facets[facet].degree, 1), 1.0)
            for facet, count in users.items()
            if count >= _MIN_SHARING
        }

    def member(self, account: str) -> dict[str, float]:
        """Describe an account of the group; names as in `MEMBER_FEATURES`, 0 to 1."""
        node = self._graph.accounts[account]
        uses = self._group.uses[account]
        mine = set(self._group.facets)
        templates = sum(1 for facet in node.edges if facet in mine)
        first = min(edge.first for edge in node.edges.values())
        known = node.created >= 0
        features = {
            "uses": math.log2(1 + uses) / _USES_SCALE,
            "templates": templates / _TEMPLATES_SCALE,
            "share": uses / max(node.events, 1),
            "infrastructure": self._infrastructure(account),
            "cohort": self._cohort(node.created) if known else 0.0,
            "young": float(known and 0 <= first - node.created < _WEEK_MINUTES),
        }
        return {name: round(min(value, 1.0), 6) for name, value in features.items()}

    def _infrastructure(self, account: str) -> float:
        best: dict[int, float] = {}
        for facet in self._graph.accounts[account].edges:
            if facet in self._purity:
                kind = self._graph.facets[facet].kind
                best[kind] = max(best.get(kind, 0.0), self._purity[facet])
        return math.fsum(best.values()) / len(INFRASTRUCTURE_KINDS)

    def _cohort(self, created: int) -> float:
        near = bisect_right(self._created, created + _DAY_MINUTES) - bisect_left(
            self._created, created - _DAY_MINUTES
        )
        others = len(self._created) - 1
        return (near - 1) / others if others else 0.0
