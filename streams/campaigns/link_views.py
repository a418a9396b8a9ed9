"""Accounts, facets and memberships of the graph, by name, as objects over its columns.

They are for people, records and entries, one at a time. What is set on one is set in
the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import numpy as np

from streams.campaigns.link_nodes import AccountNode, Edge, FacetNode
from streams.features.account_row import FACET_KINDS, TEMPLATE_KINDS
from streams.models.families import FAMILIES

if TYPE_CHECKING:
    from streams.campaigns.link_graph import LinkGraph

__all__ = [
    "FAMILY_LISTS",
    "AccountView",
    "Accounts",
    "FacetView",
    "Facets",
    "Members",
    "facet_label",
    "family_bits",
]

_TEMPLATES: Final = len(TEMPLATE_KINDS)
FAMILY_LISTS: Final = [
    sorted(name for bit, name in enumerate(FAMILIES) if code >> bit & 1)
    for code in range(1 << len(FAMILIES))
]
"""The families that each number has the bits of, sorted."""


def family_bits(families: list[str]) -> int:
    """Give the families as bits, in the order of `FAMILIES`.

    >>> family_bits(["rubric", "tools"])
    5
    """
    return sum(1 << bit for bit, name in enumerate(FAMILIES) if name in families)


class _Column:
    """A field of a view: the element of a column at the view's number."""

    def __init__(self, table: str) -> None:
        self._table = table

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, view: Any, owner: type) -> int:
        return int(getattr(getattr(view.graph, self._table).at, self._name)[view.place])

    def __set__(self, view: Any, value: int) -> None:
        getattr(getattr(view.graph, self._table).at, self._name)[view.place] = value


class _View:
    __slots__ = ("graph", "place")

    _node: ClassVar[type[msgspec.Struct]]

    def __init__(self, graph: LinkGraph, place: int) -> None:
        self.graph = graph
        self.place = place

    def copy(self) -> Any:
        """Give what is written of it."""
        fields = self._node.__struct_fields__
        return self._node(*(getattr(self, name) for name in fields))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _View) and bool(self.copy() == other.copy())

    def __hash__(self) -> int:
        return hash((type(self), self.place))

    def __repr__(self) -> str:
        return repr(self.copy())


class FacetView(_View):
    """A suspect facet, with the fields of `FacetNode`."""

    __slots__ = ()
    _node = FacetNode

    hash = _Column("facet")
    kind = _Column("facet")
    degree = _Column("facet")
    samples = _Column("facet")
    next_check = _Column("facet")
    next_joining = _Column("facet")

    @property
    def name(self) -> str:
        """What people know it by; empty for a template."""
        return self.graph.facet_names[self.place]

    @property
    def distinct(self) -> float:
        """Share of distinct fillings among the samples."""
        return float(self.graph.facet.at.distinct[self.place])

    @property
    def families(self) -> list[str]:
        """The families that its prompts are of."""
        return FAMILY_LISTS[self.graph.facet.at.families[self.place]]

    @property
    def group(self) -> int:
        """The number of its group, 0 for none."""
        return self.graph.group_at(int(self.graph.facet.at.home[self.place]))

    @group.setter
    def group(self, number: int) -> None:
        self.graph.facet.at.home[self.place] = self.graph.seat(number)

    @property
    def is_template(self) -> bool:
        """Whether it comes from the sketch rather than from the connection."""
        return self.kind < _TEMPLATES

    @property
    def kind_name(self) -> str:
        """The kind in words, for example payment."""
        return FACET_KINDS[self.kind]

    def purity(self, users: int) -> float:
        """Share of all its accounts that some ``users`` of it are, 0 to 1."""
        share: float = self.copy().purity(users)
        return share


class AccountView(_View):
    """An account, with the fields of `AccountNode`."""

    __slots__ = ()
    _node = AccountNode

    owner = _Column("account")
    created = _Column("account")
    events = _Column("account")
    templated = _Column("account")
    likeness = _Column("account")
    first = _Column("account")

    @property
    def account(self) -> str:
        """Its id."""
        return self.graph.names[self.place]

    @property
    def named(self) -> str:
        """The campaign whose alerts have named it."""
        return self.graph.named.get(self.account, "")

    @property
    def infrastructure(self) -> tuple[int, int, int, int]:
        """Hashes of its network, TLS, client and payment, 0 for none."""
        held = self.graph.account.at.infrastructure[self.place].tolist()
        return (held[0], held[1], held[2], held[3])

    @infrastructure.setter
    def infrastructure(self, held: tuple[int, int, int, int]) -> None:
        self.graph.account.at.infrastructure[self.place] = held

    @property
    def edges(self) -> dict[int, Edge]:
        """Its uses of suspect facets: templates, then infrastructure."""
        edge = self.graph.edge.at
        numbers = self.graph.edges_of(np.array([self.place]))
        names = Edge.__struct_fields__
        fields = (getattr(edge, name)[numbers].tolist() for name in names)
        hashes = self.graph.facet.at.hash[edge.facet[numbers]].tolist()
        return dict(zip(hashes, map(Edge, *fields), strict=True))


class Accounts(Mapping[str, AccountView]):
    """All accounts that something was put of, by id."""

    def __init__(self, graph: LinkGraph) -> None:
        self._graph = graph

    def __getitem__(self, account: str) -> AccountView:
        number = self._graph.numbers[account]
        if not self._graph.account.at.known[number]:
            raise KeyError(account)
        return AccountView(self._graph, number)

    def __setitem__(self, account: str, node: AccountNode) -> None:
        self._graph.put_account(account, node)

    def __iter__(self) -> Iterator[str]:
        known = self._graph.account.at.known[: len(self._graph.names)]
        return map(self._graph.names.__getitem__, np.flatnonzero(known).tolist())

    def __len__(self) -> int:
        return int(self._graph.account.at.known[: len(self._graph.names)].sum())


class Facets(Mapping[int, FacetView]):
    """All suspect facets, by their hash."""

    def __init__(self, graph: LinkGraph) -> None:
        self._graph = graph

    def __getitem__(self, facet: int) -> FacetView:
        return FacetView(self._graph, self._graph.facet_numbers[facet])

    def __setitem__(self, facet: int, node: FacetNode) -> None:
        number = self._graph.facet_number(facet, node.kind, node.name)
        at = self._graph.facet.at
        at.kind[number], self._graph.facet_names[number] = node.kind, node.name
        at.degree[number], at.samples[number] = node.degree, node.samples
        at.distinct[number] = node.distinct
        at.families[number] = family_bits(node.families)
        at.home[number] = self._graph.seat(node.group)
        at.next_check[number] = node.next_check
        at.next_joining[number] = node.next_joining

    def __iter__(self) -> Iterator[int]:
        return iter(self._graph.facet_numbers)

    def __len__(self) -> int:
        return len(self._graph.facet_numbers)


class Members(Mapping[int, set[str]]):
    """The accounts that use a suspect facet, by its hash, where there are some."""

    def __init__(self, graph: LinkGraph) -> None:
        self._graph = graph

    def __getitem__(self, facet: int) -> set[str]:
        number, at = self._graph.facet_numbers[facet], self._graph.facet.at
        if not at.members[number]:
            raise KeyError(facet)
        found = self._graph.members_of(number).tolist()
        return {*map(self._graph.names.__getitem__, found)}

    def __iter__(self) -> Iterator[int]:
        members = self._graph.facet.at.members
        numbers = self._graph.facet_numbers
        return (facet for facet, number in numbers.items() if members[number])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def facet_label(facet: int, node: FacetNode | FacetView) -> str:
    """Name a facet for people and subjects, KIND:ID.

    >>> facet_label(255, FacetNode(0, "", 9, 9, 1.0))
    'template_head:00000000000000ff'
    """
    return f"{node.kind_name}:{node.name or f'{facet:016x}'}"
