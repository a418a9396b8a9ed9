"""Accounts, suspect facets and the memberships between them, in columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.campaigns.link_columns import (
    FACET_BITS,
    LinkRows,
    account_table,
    edge_table,
    facet_table,
)
from streams.campaigns.link_loops import (
    edges_loop,
    facets_loop,
    members_loop,
    put_loop,
    users_loop,
)
from streams.campaigns.link_nodes import AccountNode
from streams.campaigns.link_views import Accounts, Facets, Members
from streams.features.key_table import KeyTable

__all__ = ["ABSORBED", "LinkGraph"]

ABSORBED: Final = -1
"""Stands for the group of a facet whose accounts were found by their templates."""

Ints = npt.NDArray[np.int64]


class LinkGraph:
    """The bipartite graph, indexed from both sides.

    ``numbers`` and ``facet_numbers`` say where an account or a facet is in the columns
    ``account.at``, ``facet.at``; ``names`` are the accounts by number. A facet's group
    is there by its *seat*, a number that is small and never given again.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []
        self.named: dict[str, str] = {}
        self.facet_numbers: dict[int, int] = {}
        self.facet_names: list[str] = []
        self.group_of_seat: list[int] = [0]
        self._seats: dict[int, int] = {0: 0, ABSORBED: ABSORBED}
        self.account = account_table()
        self.facet = facet_table()
        self.edge = edge_table()
        self._slots = KeyTable()
        self.accounts = Accounts(self)
        self.facets = Facets(self)
        self.members = Members(self)

    @property
    def edges(self) -> int:
        """One past the number of the latest edge."""
        return len(self._slots) + 1

    @property
    def seats(self) -> int:
        """One past the latest seat of a group."""
        return len(self.group_of_seat)

    def seat(self, group: int) -> int:
        """Give the seat of a group, by its number; a new one if it has none."""
        seat = self._seats.get(group)
        if seat is None:
            seat = self._seats[group] = len(self.group_of_seat)
            self.group_of_seat.append(group)
        return seat

    def group_at(self, seat: int) -> int:
        """Give the number of the group of a seat, or of what stands for none."""
        return ABSORBED if seat == ABSORBED else self.group_of_seat[seat]

    def set_group(self, facets: Iterable[int], group: int) -> None:
        """Set the group of some facets."""
        numbers = [self.facet_numbers[facet] for facet in facets]
        self.facet.at.home[numbers] = self.seat(group)

    def number(self, account: str) -> int:
        """Give the number of an account; it is known when something was put of it."""
        number = self.numbers.get(account)
        if number is None:
            number = self.numbers[account] = len(self.names)
            self.names.append(account)
            self.account.make_room(len(self.names))
        return number

    def numbers_of(self, accounts: Collection[str]) -> Ints:
        """Give the numbers of known accounts."""
        numbers = map(self.numbers.__getitem__, accounts)
        return np.fromiter(numbers, np.int64, len(accounts))

    def facet_number(self, facet: int, kind: int, name: str) -> int:
        """Give the number of a facet, a new one if it is not known."""
        number = self.facet_numbers.get(facet)
        if number is None:
            number = self.facet_numbers[facet] = len(self.facet_names)
            self.facet_names.append(name)
            self.facet.make_room(len(self.facet_names))
            at = self.facet.at
            at.hash[number], at.kind[number] = facet, kind
        return number

    def put(self, links: LinkRows) -> int:
        """Take what is told of accounts and their uses of known facets.

        Gives the number from which on edges are new. Accounts need not be known.
        """
        before = self.edges
        keys = links.account.astype(np.uint64) << FACET_BITS
        slots, _ = self._slots.find_or_number(keys | links.facet.astype("u8"), before)
        self.edge.make_room(self.edges)
        account, facet, edge = self.account.at, self.facet.at, self.edge.at
        put_loop(account, facet, edge, links, slots, before)
        return before

    def put_account(self, account: str, node: AccountNode) -> None:
        """Set an account, and all its edges into known facets."""
        number, at = self.number(account), self.account.at
        facets = np.array([self.facet_numbers[f] for f in node.edges], np.int64)
        edges = list(node.edges.values())
        size = len(edges)

        def column(name: str) -> npt.NDArray[np.int64]:
            return np.array([getattr(edge, name) for edge in edges], np.int64)

        self.put(
            LinkRows(
                np.full(size, number),
                facets,
                np.full(size, node.owner, np.uint64),
                np.full(size, node.created),
                column("first"),
                column("last"),
                column("count"),
                column("events"),
                np.full(size, node.templated),
                np.full(size, node.likeness),
                np.array([edge.slots for edge in edges], np.uint64),
                np.zeros((size, len(node.infrastructure)), np.uint64),
            )
        )
        at.known[number] = True
        at.owner[number], at.created[number] = node.owner, node.created
        at.events[number], at.templated[number] = node.events, node.templated
        at.likeness[number] = node.likeness
        at.infrastructure[number] = node.infrastructure
        if node.named:
            self.named[account] = node.named

    def edges_of(self, accounts: Ints) -> Ints:
        """List the edges of accounts, by number, each one's templates first."""
        at = self.account.at
        found = np.empty(int(at.links[accounts].sum()), np.int64)
        edges_loop(at.heads, self.edge.at, accounts, found)
        return found

    def facets_of(self, accounts: Ints, side: int) -> Ints:
        """List the facets of accounts on one side, by number, one after the other.

        An account's come in the order of their first use. Sides: see `link_loops`.
        """
        at = self.account.at
        found = np.empty(int(at.links[accounts, side].sum()), np.int64)
        facets_loop(at.heads, self.edge.at, accounts, side, found)
        return found

    def users_of(self, accounts: Ints, side: int) -> tuple[Ints, Ints]:
        """Count, by facet of one side, how many of the accounts use it.

        Gives the facets' numbers, as they first occur, and the counts.
        """
        at = self.account.at
        users = np.zeros(len(self.facet_names), np.int64)
        most = min(int(at.links[accounts, side].sum()), len(users))
        found = np.empty(most, np.int64)
        count = users_loop(at.heads, self.edge.at, accounts, side, users, found)
        return found[:count], users[found[:count]]

    def members_of(self, facet: int) -> Ints:
        """List the accounts that use a facet, both by number."""
        at = self.facet.at
        found = np.empty(at.members[facet], np.int64)
        members_loop(int(at.head[facet]), self.edge.at, found)
        return found

    def purities(self, facets: Ints, users: Ints) -> npt.NDArray[np.float64]:
        """Give `FacetNode.purity` of some facets, of so many users each."""
        degrees = np.maximum(self.facet.at.degree[facets], users)
        return np.asarray(users / np.maximum(degrees, 1), np.float64)

    def purity(self, facet: int) -> float:
        """Share of a facet's accounts that bear evidence, 0 to 1."""
        number, at = self.facet_numbers[facet], self.facet.at
        members, degree = int(at.members[number]), int(at.degree[number])
        return members / degree if members < degree else float(members > 0)

    def member_count(self, facet: int) -> int:
        """Count the accounts that use a known facet."""
        return int(self.facet.at.members[self.facet_numbers[facet]])

    def templates_of(self, account: str) -> list[int]:
        """List the suspect templates of an account, in the order of first use."""
        numbers = self.facets_of(self.numbers_of((account,)), 0)
        hashes: list[int] = self.facet.at.hash[numbers].tolist()
        return hashes
