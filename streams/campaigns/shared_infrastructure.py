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

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.campaigns.common_places import IS_PLACE
from streams.campaigns.group import Group
from streams.campaigns.groups import MIN_PURITY, Groups
from streams.campaigns.link_graph import ABSORBED, LinkGraph
from streams.campaigns.link_loops import foreign_loop

__all__ = ["MAX_JOINING_DEGREE", "SharedInfrastructure"]

MIN_MEMBERS: Final = 3
"""Accounts with evidence that a payment or network needs to start a group."""

MIN_COMMON_OWNERS: Final = 2
"""Owners on facets of two groups that make them one. A household joins its two cards;
one traveller joins nobody."""

MAX_JOINING_DEGREE: Final = 4096
"""A facet that more accounts use starts no group and joins none."""

_SOME_PAIRS: Final = 1024
"""Pairs that are found at once; where there are more, they are looked for again."""


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

    def grown(self, facets: npt.NDArray[np.int64]) -> list[int]:
        """Choose those, by number, whose members may have doubled; give their hashes.

        Of payments and networks, since they were looked at last.
        """
        at = self._graph.facet.at
        members = at.members[facets]
        chosen = members >= np.maximum(at.next_joining[facets], MIN_MEMBERS)
        chosen &= IS_PLACE[at.kind[facets]] & (at.home[facets] != ABSORBED)
        hashes: list[int] = at.hash[facets[chosen]].tolist()
        return hashes

    def grow(
        self, facet: int, minute: int, seniority: Callable[[int], tuple[int, int, int]]
    ) -> Iterator[tuple[Group, Group]]:
        """Look at a facet whose members have doubled; yield merges (into, from).

        The caller finds a new group by `group_of`. Groups merge into the one that
        ``seniority`` puts first.
        """
        node = self._graph.facets[facet]
        if not self.grown(np.array([node.place])):
            return
        node.next_joining = 2 * self._graph.member_count(facet)
        if not self._is_exclusive(facet):
            return
        home = self.group_of(facet) or self._begin(facet, minute)
        numbers = {home.number, *self._neighbours(facet, home.number)}
        into = self._groups.by_number[min(numbers, key=seniority)]
        for number in sorted(numbers - {into.number}):
            source = self._groups.by_number[number]
            self._groups.merge(into, source)
            yield into, source

    def _is_exclusive(self, facet: int) -> bool:
        degree = self._graph.facets[facet].degree
        return degree <= MAX_JOINING_DEGREE and self._graph.purity(facet) >= MIN_PURITY

    def _begin(self, facet: int, minute: int) -> Group:
        number = facet or 1
        self._graph.facets[facet].group = number
        group = Group(number, minute, [facet], infrastructure=True)
        self._groups.by_number[number] = group
        members = self._graph.members_of(self._graph.facet_numbers[facet])
        self._groups.recount({number: members.tolist()})
        return group

    def _neighbours(self, facet: int, home: int) -> set[int]:
        """Find other groups, by exclusive facets that enough owners of this one use."""
        graph = self._graph
        at, account = graph.facet.at, graph.account.at
        own, head = graph.seat(home), int(at.head[graph.facet_numbers[facet]])
        walked = head, account.heads, graph.edge.at, at.home, own
        found = np.empty((_SOME_PAIRS, 2), np.int64)
        count = foreign_loop(*walked, found)
        if count > len(found):
            found = np.empty((count, 2), np.int64)
            foreign_loop(*walked, found)
        facets, accounts = found[:count].T
        owners: dict[int, set[int]] = {}
        pairs = zip(facets.tolist(), account.owner[accounts].tolist(), strict=True)
        for other, owner in pairs:
            owners.setdefault(other, set()).add(owner)
        enough = [f for f, some in owners.items() if len(some) >= MIN_COMMON_OWNERS]
        return {
            graph.group_at(int(at.home[other]))
            for other in enough
            if self._is_exclusive(int(at.hash[other]))
        }

    def covering(self, group: Group) -> dict[int, int]:
        """Count how many of the accounts each group has that templates link."""
        return self._groups.shared(group.uses)

    def covered(self, group: Group) -> dict[int, int]:
        """Count how many of the accounts each group has that began with sharing."""
        return self._groups.shared(group.uses, 1)

    def drop(self, group: Group) -> None:
        """Forget a group whose accounts were found by their templates."""
        self._graph.set_group(group.facets, ABSORBED)
        del self._groups.by_number[group.number]
