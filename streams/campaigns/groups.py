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

from collections import Counter
from collections.abc import Collection, Container, Iterable
from itertools import chain
from typing import Final

from streams.campaigns.common_places import PLACE_KINDS, common_places
from streams.campaigns.group import Group
from streams.campaigns.link_graph import Link, LinkGraph
from streams.campaigns.member_features import GroupProfile
from streams.features.account_row import TEMPLATE_KINDS

__all__ = [
    "MIN_ABSORBED",
    "MIN_OVERLAP",
    "MIN_PURITY",
    "MIN_SHARED_ACCOUNTS",
    "Groups",
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


class Groups:
    """All groups, and which of them a template belongs to."""

    def __init__(self, graph: LinkGraph) -> None:
        self.graph = graph
        self.by_number: dict[int, Group] = {}
        self._profiles: dict[int, GroupProfile] = {}
        self._numbers: dict[str, tuple[int, ...]] = {}

    def of_template(self, facet: int, minute: int) -> Group:
        """Give the group of a suspect template, a new one if it has none."""
        node = self.graph.facets[facet]
        if not node.group:
            # The facet's own hash, so that the number is the same in every replay.
            node.group = facet or 1
            self._renumber(self.graph.members.get(facet, ()))
            self.by_number[node.group] = Group(node.group, minute, [facet])
        return self.by_number[node.group]

    def recount(self, group: Group, account: str) -> None:
        """Bring one account's count of exchanges up to date; see `Group`."""
        now = self._exchanges(group, account)
        joins = account not in group.uses
        group.exchanges += now - group.uses.get(account, 0)
        group.uses[account] = now
        if joins and group.number in self._profiles:
            self._profiles[group.number].join(account)

    def recount_all(self) -> None:
        """Count everything anew that follows from the edges, after a restoration."""
        self._profiles.clear()
        self._numbers.clear()
        for group in self.by_number.values():
            group.uses, group.exchanges = {}, 0
            for facet in group.facets:
                for account in self.graph.members.get(facet, ()):
                    if account not in group.uses:
                        self.recount(group, account)

    def _exchanges(self, group: Group, account: str) -> int:
        """Count an account's templated exchanges, or all of them.

        The kinds of template (head, tail, …) describe the same exchanges, so their
        counts are not added up: the kind with most uses speaks.
        """
        graph, number = self.graph, group.number
        facets, edges = graph.facets, graph.accounts[account].edges
        if group.infrastructure:
            return max(
                edges[facet].events
                for facet in graph.sorted_edges(account).infrastructure
                if facets[facet].group == number
            )
        templates = graph.sorted_edges(account).templates
        if len(templates) == 1:
            facet = templates[0]
            return edges[facet].count if facets[facet].group == number else 0
        uses = [0] * len(TEMPLATE_KINDS)
        for facet in templates:
            node = facets[facet]
            if node.group == number:
                uses[node.kind] += edges[facet].count
        return max(uses)

    def profile(self, group: Group) -> GroupProfile:
        """Give the group's profile, which follows its changes from now on."""
        profile = self._profiles.get(group.number)
        if profile is None:
            profile = self._profiles[group.number] = GroupProfile(self.graph, group)
        return profile

    def put_links(self, facet: int, links: Iterable[Link]) -> None:
        """Take what is told of accounts and their uses of a known facet."""
        joining = self.graph.put_links(facet, links)
        node = self.graph.facets[facet]
        if node.is_template:
            self._count_numbers(node.group, joining)
        elif self._profiles:
            for account in joining:
                self._count_profiles(facet, account)

    def _count_numbers(self, group: int, joining: Iterable[str]) -> None:
        """Keep the groups of accounts that begin to use a template of a group."""
        numbers = self._numbers
        for account in joining:
            known = numbers.get(account)
            if known is not None:
                if not group:
                    del numbers[account]  # it gets one in this minute
                elif group not in known:
                    numbers[account] = (*known, group)

    def _count_profiles(self, facet: int, account: str) -> None:
        profiles = self._profiles
        for number in self._numbers_of(account):
            if number in profiles and account in self.by_number[number].uses:
                profiles[number].link(facet)

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

    def shared(self, accounts: Collection[str]) -> Counter[int]:
        """Count how many of the accounts each group has that templates link."""
        numbers = self._numbers
        try:
            found = [*map(numbers.__getitem__, accounts)]
        except KeyError:
            found = [*map(self._numbers_of, accounts)]
        shared = Counter(chain.from_iterable(found))
        del shared[0]
        return shared

    def _numbers_of(self, account: str) -> tuple[int, ...]:
        """Give the groups of an account's templates, 0 for one without a group."""
        numbers = self._numbers.get(account)
        if numbers is None:
            facets = self.graph.facets
            of_templates = {facets[f].group for f in self.graph.templates_of(account)}
            numbers = self._numbers[account] = tuple(of_templates)
        return numbers

    def _renumber(self, accounts: Iterable[str]) -> None:
        """Forget the groups of accounts whose templates have changed groups."""
        for account in accounts:
            self._numbers.pop(account, None)

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
            # A campaign takes in what is wholly its own, however small.
            return shared >= MIN_ABSORBED * len(small.uses)
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
        return sorted(
            number
            for number, count in self.shared(self.graph.members[facet]).items()
            if count >= MIN_SHARED_ACCOUNTS
            and count >= MIN_CONTAINMENT * len(self.by_number[number].uses)
        )

    def merge(self, target: Group, source: Group) -> None:
        """Move everything of ``source`` into ``target``."""
        target.first = min(target.first, source.first)
        target.facets = sorted({*target.facets, *source.facets})
        target.look = max(target.look, source.look)
        for facet in source.facets:
            self.graph.facets[facet].group = target.number
        del self.by_number[source.number]
        self._profiles.pop(source.number, None)
        self._renumber(source.uses)
        accounts = {*source.uses}
        if target.infrastructure:
            # What its accounts sent in this minute may not be counted yet.
            accounts.update(target.uses)
        for account in sorted(accounts):
            self.recount(target, account)
