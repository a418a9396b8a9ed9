"""How groups begin, grow and become one.

Every suspect template starts a group of its own. Two groups become one when they have
most of their accounts in common, when an infrastructure facet that hardly anyone else
uses holds most of both, or when they have some accounts in common and come from the
same networks or payments, which hardly anyone else uses. There is no closure over weak
links: one carrier's network, one popular SDK or one common closing sentence joins
nobody. How groups begin with payments and networks is told in
`shared_infrastructure`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterable, Mapping
from itertools import chain, islice
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.campaigns.common_places import PLACE_KINDS, common_places
from streams.campaigns.facet_users import FacetUsers
from streams.campaigns.group import Group
from streams.campaigns.link_columns import LinkRows
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_loops import shared_loop, uses_loop
from streams.campaigns.member_features import GroupProfile

__all__ = [
    "MIN_ABSORBED",
    "MIN_OVERLAP",
    "MIN_PURITY",
    "MIN_SHARED_ACCOUNTS",
    "MOST_BY_CHANCE",
    "RARELY",
    "Groups",
    "is_own",
]

MIN_SHARED_ACCOUNTS: Final = 5
"""Accounts that two groups must share before they may become one."""

MIN_CONTAINMENT: Final = 0.8
"""Share of each group's accounts that a payment or network must hold to join them."""

MIN_OVERLAP: Final = 0.5
"""Share of both groups' accounts together that must be in both: many accounts of a
campaign use a popular app, or end with a common sentence, which joins nobody."""

MIN_ABSORBED: Final = 0.8
"""Share of a group's accounts that a found campaign must have to take it in."""

MOST_BY_CHANCE: Final = 0.6
"""Share of those who write a common sentence that a campaign may have though it is none
of its wordings: a large one is most of the accounts that send such prompts at all."""

RARELY: Final = 1e-5
"""How seldom chance may bring about what makes a wording a campaign's own. There are
thousands of sentences, and all who write one of them later would be linked to it."""

MIN_SIBLING: Final = 0.3
"""Share of the smaller of two found campaigns' accounts that makes them one."""

MIN_AKIN: Final = 0.05
"""Share of both groups' accounts together that must be in both when they come from the
same places. Each account uses a few of a campaign's templates at first, so that their
groups have little in common for the first thousand uses."""

MIN_AKIN_ACCOUNTS: Final = 3
"""Accounts that must be in both groups then."""

MIN_COMMON_PLACES: Final = 0.2
"""How far two groups must come from the same places, in units of `common_places`: of
pairs of groups of simulated campaigns that share 5 % of their accounts, nearly all
reach it, and of pairs of unrelated honest groups a third."""

MIN_PURITY: Final = 0.5
"""Share of a facet's accounts that must bear evidence before it joins groups."""

Ints = npt.NDArray[np.int64]


def is_own(count: int, accounts: int) -> bool:
    """Tell whether a campaign has so many of some accounts by more than chance.

    By Chernoff's bound for the binomial (Hoeffding 1963, theorem 1): chance would have
    `MOST_BY_CHANCE` of them, and as many less often than `RARELY`.

    >>> [next(n for n in range(1, 99) if is_own(n, n)), is_own(44, 48), is_own(43, 48)]
    [23, True, False]
    """
    share = count / accounts
    if share <= MOST_BY_CHANCE:
        return False
    gain = share * math.log(share / MOST_BY_CHANCE)
    if share < 1:
        gain += (1 - share) * math.log((1 - share) / (1 - MOST_BY_CHANCE))
    return accounts * gain >= -math.log(RARELY)


class Groups:
    """All groups, and which of them a template belongs to."""

    def __init__(self, graph: LinkGraph) -> None:
        self.graph = graph
        self.by_number: dict[int, Group] = {}
        self._profiles: dict[int, GroupProfile] = {}
        self._users = FacetUsers(graph)

    def of_template(self, facet: int, minute: int) -> Group:
        """Give the group of a suspect template, a new one if it has none."""
        node = self.graph.facets[facet]
        if not node.group:
            # The facet's own hash, so that the number is the same in every replay.
            node.group = facet or 1
            self.by_number[node.group] = Group(node.group, minute, [facet])
        return self.by_number[node.group]

    def recount(self, counted: Mapping[int, Collection[int]]) -> None:
        """Bring counts of exchanges up to date, of accounts by group; see `Group`.

        Of an account's templated exchanges, the kinds of template (head, tail, …)
        describe the same ones, so their counts are not added up: the kind with most
        uses speaks. In a group by infrastructure all of its exchanges count.
        """
        if not counted:
            return
        sizes = [len(accounts) for accounts in counted.values()]
        groups = [self.by_number[number] for number in counted]
        asked = np.fromiter(chain.from_iterable(counted.values()), np.int64, sum(sizes))
        seats = np.repeat([self.graph.seat(number) for number in counted], sizes)
        sides = np.repeat([int(group.infrastructure) for group in groups], sizes)
        now = np.empty(len(asked), np.int64)
        account, facet = self.graph.account.at, self.graph.facet.at
        walked = account.heads, self.graph.edge.at, facet.kind, facet.home
        uses_loop(*walked, asked, seats, sides, now)
        left = zip(asked.tolist(), now.tolist(), strict=True)
        joined, of = list[int](), list[int]()
        for group, size in zip(groups, sizes, strict=True):
            joining = self._set_uses(group, islice(left, size))
            profile = self._profiles.get(group.number)
            if joining and profile is not None:
                profile.join(np.array(joining))
                joined += joining
                of += [self.graph.seat(group.number)] * len(joining)
        if joined:
            self._users.join(np.array(joined), np.array(of))

    def _set_uses(self, group: Group, counted: Iterable[tuple[int, int]]) -> list[int]:
        """Set the uses of accounts; give those that have joined the group."""
        names, uses = self.graph.names, group.uses
        joining = []
        for number, now in counted:
            account = names[number]
            before = uses.get(account)
            if before is None:
                joining.append(number)
                before = 0
            uses[account] = now
            group.exchanges += now - before
        return joining

    def recount_all(self) -> None:
        """Count everything anew that follows from the edges, after a restoration."""
        self._profiles.clear()
        self._users = FacetUsers(self.graph)
        graph, counted = self.graph, dict[int, Collection[int]]()
        for group in self.by_number.values():
            group.uses, group.exchanges = {}, 0
            facets = [graph.facet_numbers[facet] for facet in group.facets]
            members = [graph.members_of(facet) for facet in facets]
            if members:
                counted[group.number] = np.unique(np.concatenate(members)).tolist()
        self.recount(counted)

    def profile(self, group: Group) -> GroupProfile:
        """Give the group's profile, which follows its changes from now on."""
        profile = self._profiles.get(group.number)
        if profile is None:
            profile = GroupProfile(self.graph, group, self._users)
            self._profiles[group.number] = profile
            self._users.follow(self.graph.seat(group.number))
        return profile

    def put_links(self, links: LinkRows) -> None:
        """Take what is told of accounts and their uses of known facets."""
        begin = self.graph.put(links)
        if self._profiles:
            self._users.link(begin)

    def users_of(self, group: Group) -> tuple[Ints, Ints]:
        """Count the accounts of a group that use each facet; give facets and counts."""
        if group.number in self._profiles:
            return self._users.of(self.graph.seat(group.number))
        accounts = self.graph.numbers_of(group.uses)
        sides = [self.graph.users_of(accounts, side) for side in range(2)]
        facets, users = map(np.concatenate, zip(*sides, strict=True))
        return facets, users

    def partners(self, facet: int, campaigns: Container[int]) -> list[int]:
        """List groups that a grown ``facet`` shows to be one, by number.

        Called when the members of a facet have doubled, so its cost is amortised.
        ``campaigns`` are the numbers of groups that are campaigns already.
        """
        node = self.graph.facets[facet]
        if not node.is_template:
            return self._joined_by_infrastructure(facet)
        home = self.by_number[node.group]
        shared = self.shared(home.uses)
        return sorted(
            number
            for number, count in shared.items()
            if number == home.number
            or self._are_one(count, home, self.by_number[number], campaigns)
            or self._are_akin(count, home, self.by_number[number])
        )

    def shared(self, accounts: Collection[str], side: int = 0) -> dict[int, int]:
        """Count how many of the accounts each group has that templates link.

        On the other side, how many each group has that began with sharing.
        """
        return self._shared(self.graph.numbers_of(accounts), side)

    def _shared(self, accounts: Ints, side: int = 0) -> dict[int, int]:
        graph = self.graph
        counts, stamps = np.zeros((2, graph.seats), np.int64)
        home, heads = graph.facet.at.home, graph.account.at.heads
        shared_loop(heads, graph.edge.at, home, accounts, side, stamps, counts)
        seats = np.flatnonzero(counts)
        groups = map(graph.group_at, seats.tolist())
        return dict(zip(groups, counts[seats].tolist(), strict=True))

    @staticmethod
    def _are_one(
        shared: int, one: Group, other: Group, campaigns: Container[int]
    ) -> bool:
        small, large = sorted((one, other), key=lambda group: len(group.uses))
        if shared < MIN_SHARED_ACCOUNTS:
            return False
        if small.number in campaigns and large.number in campaigns:
            # Both were found already: this is about identity, not about evidence.
            return shared >= MIN_SIBLING * len(small.uses)
        if large.number in campaigns:
            # A campaign takes in what is wholly its own.
            return shared >= MIN_ABSORBED * len(small.uses) and (
                2 * shared >= len(large.uses) or is_own(shared, len(small.uses))
            )
        union = len(small.uses) + len(large.uses) - shared
        return shared >= MIN_OVERLAP * union

    def _are_akin(self, shared: int, one: Group, other: Group) -> bool:
        union = len(one.uses) + len(other.uses) - shared
        return (
            shared >= MIN_AKIN_ACCOUNTS
            and shared >= MIN_AKIN * union
            and common_places(self.graph, one, other) >= MIN_COMMON_PLACES
        )

    def _joined_by_infrastructure(self, facet: int) -> list[int]:
        node = self.graph.facets[facet]
        if node.kind_name not in PLACE_KINDS or self.graph.purity(facet) < MIN_PURITY:
            return []
        members = self.graph.members_of(self.graph.facet_numbers[facet])
        return sorted(
            number
            for number, count in self._shared(members).items()
            if count >= MIN_SHARED_ACCOUNTS
            and count >= MIN_CONTAINMENT * len(self.by_number[number].uses)
        )

    def merge(self, target: Group, source: Group) -> None:
        """Move everything of ``source`` into ``target``."""
        target.first = min(target.first, source.first)
        target.facets = sorted({*target.facets, *source.facets})
        target.look = max(target.look, source.look)
        self.graph.set_group(source.facets, target.number)
        del self.by_number[source.number]
        if self._profiles.pop(source.number, None) is not None:
            self._users.leave(self.graph.seat(source.number))
        accounts = {*source.uses}
        if target.infrastructure:
            # What its accounts sent in this minute may not be counted yet.
            accounts.update(target.uses)
        numbers = self.graph.numbers_of(sorted(accounts)).tolist()
        self.recount({target.number: numbers})
