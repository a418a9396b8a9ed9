"""Accounts, suspect facets and the memberships between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from streams.features.account_row import FACET_KINDS, TEMPLATE_KINDS

__all__ = [
    "AccountNode",
    "Edge",
    "FacetNode",
    "Link",
    "LinkGraph",
    "SortedEdges",
    "facet_label",
]


_TEMPLATES: Final = len(TEMPLATE_KINDS)

Link = tuple[
    str, int, int, int, int, int, int, int, int, int, tuple[int, int, int, int]
]
"""An account's membership in a facet, and the account, at its last use of it.

Account, owner, created, first, last, count, events, templated, likeness, slots, and
hashes of the account's infrastructure. A plain tuple: there are too many for
attributes.
"""


class FacetNode(msgspec.Struct, array_like=True, gc=False):
    """A suspect facet; see `streams.features.facet_table.FACET_ROW`."""

    kind: int
    name: str
    degree: int
    samples: int
    distinct: float
    families: list[str] = []
    group: int = 0
    next_check: int = 0
    next_joining: int = 0

    @property
    def is_template(self) -> bool:
        """Whether it comes from the sketch rather than from the connection."""
        return self.kind < _TEMPLATES

    @property
    def kind_name(self) -> str:
        """The kind in words, for example payment."""
        return FACET_KINDS[self.kind]

    def purity(self, users: int) -> float:
        """Share of all its accounts that some ``users`` of it are, 0 to 1.

        What is popular has a low one (compare FRAUDAR, Hooi et al. 2016).

        >>> FacetNode(5, "carrier", 400, 9, 1.0).purity(2)
        0.005
        """
        degree = self.degree
        return users / degree if users < degree else float(users > 0)


class Edge(msgspec.Struct, array_like=True, gc=False):
    """An account's use of a suspect facet.

    ``events`` are all exchanges of the account that were known at its last use.
    """

    first: int
    last: int
    count: int
    slots: int
    events: int = 0


class AccountNode(msgspec.Struct, array_like=True, gc=False):
    """An account with evidence of its own, and its suspect facets.

    ``infrastructure`` has the hashes of its network, TLS, client and payment, 0 for
    none, whether they are suspect or not. ``named`` is the campaign whose alerts have
    named it.
    """

    owner: int
    created: int
    events: int
    templated: int
    likeness: int
    edges: dict[int, Edge] = {}
    infrastructure: tuple[int, int, int, int] = (0, 0, 0, 0)
    named: str = ""


class SortedEdges(msgspec.Struct, gc=False):
    """An account's suspect facets by sort, in the order of first use.

    ``first`` is the minute of its first use of any of them.
    """

    templates: list[int]
    infrastructure: list[int]
    first: int


def facet_label(facet: int, node: FacetNode) -> str:
    """Name a facet for people and subjects, KIND:ID.

    >>> facet_label(255, FacetNode(0, "", 9, 9, 1.0))
    'template_head:00000000000000ff'
    """
    return f"{node.kind_name}:{node.name or f'{facet:016x}'}"


class LinkGraph:
    """The bipartite graph, indexed from both sides."""

    def __init__(self) -> None:
        self.accounts: dict[str, AccountNode] = {}
        self.facets: dict[int, FacetNode] = {}
        self.members: dict[int, set[str]] = {}
        self._sorted: dict[str, SortedEdges] = {}

    def put_account(self, account: str, node: AccountNode) -> None:
        """Set an account with all its edges."""
        self.accounts[account] = node
        self._sorted.pop(account, None)
        for facet in node.edges:
            self.members.setdefault(facet, set()).add(account)

    def put_links(self, facet: int, links: Iterable[Link]) -> list[str]:
        """Take what is told of accounts and their uses of a known facet.

        Gives those that had not used it before. Accounts need not be known.
        """
        accounts, lists = self.accounts, self._sorted
        is_template = self.facets[facet].kind < _TEMPLATES
        joining = []
        for link in links:
            (
                name,
                owner,
                created,
                first,
                last,
                count,
                events,
                templated,
                likeness,
                slots,
                infrastructure,
            ) = link
            node = accounts.get(name)
            if node is None:
                node = accounts[name] = AccountNode(owner, created, 0, 0, 0)
            node.events, node.templated, node.likeness = events, templated, likeness
            node.infrastructure = infrastructure
            edge = node.edges.get(facet)
            if edge is None:
                node.edges[facet] = Edge(first, last, count, slots, events)
                joining.append(name)
                listed = lists.get(name)
                if listed is not None:
                    own = listed.templates if is_template else listed.infrastructure
                    own.append(facet)
                    listed.first = min(listed.first, first)
                continue
            if edge.first != first:
                lists.pop(name, None)
                edge.first = first
            edge.last, edge.count, edge.slots, edge.events = last, count, slots, events
        if joining:
            self.members.setdefault(facet, set()).update(joining)
        return joining

    def sorted_edges(self, account: str) -> SortedEdges:
        """Give the facets of an account that has some; nobody else may change them.

        Asked several times for each link, so they are kept.
        """
        listed = self._sorted.get(account)
        if listed is None:
            edges, facets = self.accounts[account].edges, self.facets
            templates = [f for f in edges if facets[f].kind < _TEMPLATES]
            others = [f for f in edges if facets[f].kind >= _TEMPLATES]
            first = min(edge.first for edge in edges.values())
            listed = self._sorted[account] = SortedEdges(templates, others, first)
        return listed

    def purity(self, facet: int) -> float:
        """Share of a facet's accounts that bear evidence, 0 to 1."""
        return self.facets[facet].purity(len(self.members[facet]))

    def templates_of(self, account: str) -> Sequence[int]:
        """List the suspect templates of an account, in the order of first use."""
        return self.sorted_edges(account).templates
