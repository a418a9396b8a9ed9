"""What ties one account to a group, apart from having used one of its templates.

A template may be a sentence that honest people write as well. Whoever uses it but has
nothing else in common with the group is a bystander, and is compared with bystanders.
The payment or the network that nearly the whole group has is no tie either: one
customer or one place has them, and each of its accounts would be accused by them alike.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Self

import msgspec

from streams.campaigns.common_places import PLACE_KINDS
from streams.campaigns.creation_batches import opened_around
from streams.campaigns.group import Group
from streams.campaigns.link_graph import FacetNode, LinkGraph
from streams.contracts.time_units import MINUTES_PER_WEEK
from streams.features.account_row import (
    FACET_KINDS,
    INFRASTRUCTURE_KINDS,
    TEMPLATE_KINDS,
)
from streams.models.reference import ONE_SITE

__all__ = ["MEMBER_FEATURES", "GroupProfile", "MemberScale"]

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
_DECIMALS: Final = 6
_IS_PLACE: Final = tuple(kind in PLACE_KINDS for kind in FACET_KINDS)
_MIN_SHARING: Final = 2


def _scaled(count: int, scale: int) -> float:
    return round(min(math.log2(1 + count) / scale, 1.0), _DECIMALS)


_USES: Final = tuple(_scaled(uses, _USES_SCALE) for uses in range(2**_USES_SCALE))
_MATES: Final = tuple(_scaled(mates, _BATCH_SCALE) for mates in range(2**_BATCH_SCALE))
"""Features by count, looked up; larger counts have 1.0."""


class MemberScale(NamedTuple):
    """Weights of a linear score of the features, to be found without rounding them.

    ``slack`` is more than what rounding the features and the score to `_DECIMALS` can
    change of it: half a unit of the last place each, times the weights.
    """

    uses: float
    templates: float
    share: float
    infrastructure: float
    cohort: float
    batch: float
    young: float
    intercept: float
    slack: float

    @classmethod
    def of(cls, weights: Mapping[str, float], intercept: float) -> Self:
        """Make it of weights by feature; those that are missing are 0.

        >>> round(MemberScale.of({"cohort": 5.0, "share": -2.0}, -6.0).slack, 6)
        8e-06
        """
        ordered = [weights.get(name, 0.0) for name in MEMBER_FEATURES]
        slack = 10.0**-_DECIMALS * (sum(map(abs, ordered)) + 1)
        return cls._make([*ordered, intercept, slack])


class _Users(msgspec.Struct, gc=False):
    """How many of a group's accounts use an infrastructure facet."""

    node: FacetNode
    count: int = 0


class GroupProfile:
    """A group as a whole, kept up to date for looking at its accounts one by one."""

    def __init__(self, graph: LinkGraph, group: Group) -> None:
        self._graph = graph
        self._group = group
        self._created: list[int] = []
        self._users: dict[int, _Users] = {}
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
        users = self._users.get(facet)
        if users is None:
            users = self._users[facet] = _Users(self._graph.facets[facet])
        users.count += 1

    def member(self, account: str) -> dict[str, float]:
        """Describe an account of the group; names as in `MEMBER_FEATURES`, 0 to 1."""
        node = self._graph.accounts[account]
        uses = self._group.uses[account]
        edges = self._graph.sorted_edges(account)
        created = node.created
        cohort = batch = 0.0
        young = False
        if created >= 0:
            cohort, batch = self._opened_with(created)
            young = 0 <= edges.first - created < MINUTES_PER_WEEK
        templates = (self._templates(edges.templates) - 1) / _TEMPLATES_SCALE
        return {
            "uses": _USES[uses] if uses < len(_USES) else 1.0,
            "templates": round(min(templates, 1.0), _DECIMALS),
            "share": round(min(uses / max(node.events, 1), 1.0), _DECIMALS),
            "infrastructure": self._infrastructure(edges.infrastructure),
            "cohort": cohort,
            "batch": batch,
            "young": 1.0 if young else 0.0,
        }

    def is_below(self, account: str, scale: MemberScale, limit: float) -> bool:
        """Tell cheaply that an account's score is at most ``limit``, if that is plain.

        The score is that of the features as `member` gives them, rounded; here nothing
        is rounded. Where the difference could matter, and above, it is not plain.
        """
        node = self._graph.accounts[account]
        uses = self._group.uses[account]
        edges = self._graph.sorted_edges(account)
        created, templates = node.created, edges.templates
        shares = sum(self._purest(edges.infrastructure)) / len(INFRASTRUCTURE_KINDS)
        score = scale.intercept + scale.infrastructure * min(shares, 1.0)
        score += scale.uses * (_USES[uses] if uses < len(_USES) else 1.0)
        score += scale.share * min(uses / max(node.events, 1), 1.0)
        if created >= 0:
            cohort, batch = self._opened_with(created)
            score += scale.cohort * cohort + scale.batch * batch
            if 0 <= edges.first - created < MINUTES_PER_WEEK:
                score += scale.young
        plain = limit - scale.slack
        if scale.templates >= 0:
            # There are no more of the group's than there are at all.
            most = min(max(len(templates) - 1, 0) / _TEMPLATES_SCALE, 1.0)
            if score + scale.templates * most <= plain:
                return True
        further = (self._templates(templates) - 1) / _TEMPLATES_SCALE
        return score + scale.templates * min(further, 1.0) <= plain

    def _templates(self, used: Iterable[int]) -> int:
        """Count those of the group among some templates, by the kind with most."""
        facets, number = self._graph.facets, self._group.number
        kinds = [0] * len(TEMPLATE_KINDS)
        for node in map(facets.__getitem__, used):
            if node.group == number:
                kinds[node.kind] += 1
        return max(kinds)

    def _infrastructure(self, used: Iterable[int]) -> float:
        """Add up the purity of the purest facet of each kind that others share."""
        shares = math.fsum(self._purest(used)) / len(INFRASTRUCTURE_KINDS)
        return round(min(shares, 1.0), _DECIMALS)

    def _purest(self, used: Iterable[int]) -> list[float]:
        """Give, by kind, the purity of the purest of some facets that others share."""
        best = [0.0] * len(FACET_KINDS)
        known, site = self._users, ONE_SITE * len(self._group.uses)
        for users in map(known.get, used):
            if users is not None and (count := users.count) >= _MIN_SHARING:
                node = users.node
                if count >= site and _IS_PLACE[node.kind]:
                    continue
                # As `FacetNode.purity`: a call for each would take most of the time.
                degree = node.degree
                purity = count / degree if count < degree else 1.0
                if purity > best[node.kind]:  # noqa: PLR1730  max takes longer
                    best[node.kind] = purity
        return best

    def _opened_with(self, created: int) -> tuple[float, float]:
        """Give the features "cohort" and "batch" of an account opened in a minute."""
        opened = self._created
        of_day, mates = opened_around(opened, created)
        others = len(opened) - 1
        cohort = round(min(of_day / others, 1.0), _DECIMALS) if others else 0.0
        return cohort, _MATES[mates] if mates < len(_MATES) else 1.0
