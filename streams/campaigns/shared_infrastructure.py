"""How groups begin with payments and networks instead of templates.

A payment or network that hardly anyone uses but accounts with evidence starts a group.
Two groups become one when two owners are on facets of both: a campaign spreads its
accounts over its payments and over its networks, so that no two of these have much in
common, and all of them a little. What is popular, or has mostly customers without any
evidence, joins nobody (compare FRAUDAR, Hooi et al. 2016: what is popular counts
little): no giant component grows through a carrier or an honest proxy.

What fools it: a payment and networks of its own for every account. What it mistakes: a
company with several payments and several offices, and no organization id on its events.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from streams.campaigns.common_places import PLACE_KINDS
from streams.campaigns.group import Group
from streams.campaigns.groups import MIN_PURITY, Groups
from streams.campaigns.link_graph import FacetNode, LinkGraph

__all__ = ["ABSORBED", "MAX_JOINING_DEGREE", "SharedInfrastructure"]

MIN_MEMBERS: Final = 3
"""Accounts with evidence that a payment or network needs to start a group."""

MIN_COMMON_OWNERS: Final = 2
"""Owners on facets of two groups that make them one. A household joins its two cards;
one traveller joins nobody."""

MAX_JOINING_DEGREE: Final = 4096
"""A facet that more accounts use starts no group and joins none."""

ABSORBED: Final = -1
"""Stands for the group of a facet whose accounts were found by their templates."""


class SharedInfrastructure:
    """Groups that begin with payments and networks, among all groups."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._graph: LinkGraph = groups.graph

    def group_of(self, facet: int) -> Group | None:
        """Give the group that a payment or network has, if any."""
        node = self._graph.facets[facet]
        if node.is_template or not node.group:
            return None
        return self._groups.by_number.get(node.group)

    def is_grown(self, facet: int) -> bool:
        """Whether the members of a payment or network may have doubled since."""
        node = self._graph.facets[facet]
        members = len(self._graph.members[facet])
        return (
            members >= node.next_joining
            and members >= MIN_MEMBERS
            and node.kind_name in PLACE_KINDS
            and node.group != ABSORBED
        )

    def grow(
        self, facet: int, minute: int, seniority: Callable[[int], tuple[int, int, int]]
    ) -> Iterator[tuple[Group, Group]]:
        """Look at a facet whose members have doubled; yield merges (into, from).

        The caller finds a new group by `group_of`. Groups merge into the one that
        ``seniority`` puts first.
        """
        if not self.is_grown(facet):
            return
        node = self._graph.facets[facet]
        members = self._graph.members[facet]
        node.next_joining = 2 * len(members)
        if not self._is_exclusive(facet):
            return
        home = self.group_of(facet) or self._begin(facet, node, minute)
        numbers = {home.number, *self._neighbours(facet, home.number)}
        into = self._groups.by_number[min(numbers, key=seniority)]
        for number in sorted(numbers - {into.number}):
            source = self._groups.by_number[number]
            self._groups.merge(into, source)
            yield into, source

    def _is_exclusive(self, facet: int) -> bool:
        degree = self._graph.facets[facet].degree
        return degree <= MAX_JOINING_DEGREE and self._graph.purity(facet) >= MIN_PURITY

    def _begin(self, facet: int, node: FacetNode, minute: int) -> Group:
        node.group = facet or 1
        group = Group(node.group, minute, [facet], infrastructure=True)
        self._groups.by_number[node.group] = group
        # No other facet is of this group: nothing has to be counted anew.
        accounts = self._graph.accounts
        for account in sorted(self._graph.members[facet]):
            group.uses[account] = accounts[account].edges[facet].events
        group.exchanges = sum(group.uses.values())
        return group

    def _neighbours(self, facet: int, home: int) -> set[int]:
        """Find other groups, by exclusive facets that enough owners of this one use."""
        graph, by_number = self._graph, self._groups.by_number
        facets, members = graph.facets, graph.members[facet]
        used = [graph.sorted_edges(account).infrastructure for account in members]
        # Most are of its own group: of which others, is asked of each facet once.
        others = {
            other
            for other in {*chain.from_iterable(used)}
            if facets[other].group != home and facets[other].group in by_number
        }
        owners: dict[int, set[int]] = defaultdict(set)
        for account, own in zip(members, used, strict=True) if others else ():
            for other in others.intersection(own):
                owners[other].add(graph.accounts[account].owner)
        return {
            facets[other].group
            for other, some in owners.items()
            if len(some) >= MIN_COMMON_OWNERS and self._is_exclusive(other)
        }

    def covering(self, group: Group) -> Counter[int]:
        """Count how many of the accounts each group has that templates link."""
        return self._groups.shared(group.uses)

    def covered(self, group: Group) -> Counter[int]:
        """Count how many of the accounts each group has that began with sharing."""
        shared: Counter[int] = Counter()
        facets, by_number = self._graph.facets, self._groups.by_number
        for account in group.uses:
            used = self._graph.sorted_edges(account).infrastructure
            shared.update({facets[facet].group for facet in used})
        for number in shared.keys() - by_number.keys():
            del shared[number]
        return shared

    def drop(self, group: Group) -> None:
        """Forget a group whose accounts were found by their templates."""
        for facet in group.facets:
            self._graph.facets[facet].group = ABSORBED
        del self._groups.by_number[group.number]
