"""Walks over the graph's columns, edge by edge, to be compiled.

Numbers of accounts, facets and edges are as in `streams.campaigns.link_columns`. A side
is 0 for an account's templates and 1 for its infrastructure. What is filled in is given
as zeros.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.campaigns.link_columns import (
    FACET_BITS,
    AccountColumns,
    EdgeColumns,
    FacetColumns,
    LinkRows,
)
from streams.contracts.compiled import loop
from streams.features.account_row import TEMPLATE_KINDS

__all__ = [
    "common_loop",
    "edges_loop",
    "facets_loop",
    "foreign_loop",
    "joined_loop",
    "members_loop",
    "put_loop",
    "shared_loop",
    "strongest_loop",
    "users_loop",
    "uses_loop",
]

_TEMPLATES: Final = len(TEMPLATE_KINDS)
_LATEST: Final = 2**31 - 1

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


@loop
def put_loop(
    accounts: AccountColumns,
    facets: FacetColumns,
    edges: EdgeColumns,
    links: LinkRows,
    slots: Ints,
    filled: int,
) -> None:
    """Put links to their edges; ``slots`` from ``filled`` on, as they come, are new."""
    for row in range(len(slots)):
        account, facet, edge = links.account[row], links.facet[row], slots[row]
        first = links.first[row]
        if not accounts.known[account]:
            accounts.known[account] = True
            accounts.owner[account] = links.owner[row]
            accounts.created[account] = links.created[row]
            accounts.first[account] = _LATEST
        accounts.events[account] = links.events[row]
        accounts.templated[account] = links.templated[row]
        accounts.likeness[account] = links.likeness[row]
        for kind in range(links.infrastructure.shape[1]):
            accounts.infrastructure[account, kind] = links.infrastructure[row, kind]
        if edge >= filled:
            filled = edge + 1
            edges.account[edge] = account
            edges.facet[edge] = facet
            edges.first[edge] = first
            side = 0 if facets.kind[facet] < _TEMPLATES else 1
            tail = accounts.tails[account, side]
            if tail:
                edges.next[tail] = edge
            else:
                accounts.heads[account, side] = edge
            accounts.tails[account, side] = edge
            accounts.links[account, side] += 1
            edges.fellow[edge] = facets.head[facet]
            facets.head[facet] = edge
            facets.members[facet] += 1
            accounts.first[account] = min(accounts.first[account], first)
        elif edges.first[edge] != first:
            edges.first[edge] = first
            earliest = first
            for side in range(2):
                other = accounts.heads[account, side]
                while other:
                    earliest = min(earliest, edges.first[other])
                    other = edges.next[other]
            accounts.first[account] = earliest
        edges.last[edge] = links.last[row]
        edges.count[edge] = links.count[row]
        edges.events[edge] = links.events[row]
        edges.slots[edge] = links.slots[row]


@loop
def uses_loop(
    heads: Any,
    edges: EdgeColumns,
    kind: Any,
    home: Any,
    asked: Ints,
    seats: Ints,
    sides: Ints,
    out: Ints,
) -> None:
    """Count each asked account's exchanges in the group of its seat; see `Groups`."""
    by_kind = np.zeros(_TEMPLATES, np.int64)
    for row in range(len(asked)):
        seat, side = seats[row], sides[row]
        edge = heads[asked[row], side]
        most = 0
        by_kind[:] = 0
        while edge:
            facet = edges.facet[edge]
            if home[facet] == seat:
                if side:
                    most = max(most, edges.events[edge])
                else:
                    by_kind[kind[facet]] += edges.count[edge]
                    most = max(most, by_kind[kind[facet]])
            edge = edges.next[edge]
        out[row] = most


@loop
def facets_loop(
    heads: Any, edges: EdgeColumns, asked: Ints, side: int, out: Ints
) -> None:
    """List the facets of some accounts, one after the other."""
    count = 0
    for row in range(len(asked)):
        edge = heads[asked[row], side]
        while edge:
            out[count] = edges.facet[edge]
            count += 1
            edge = edges.next[edge]


@loop
def edges_loop(heads: Any, edges: EdgeColumns, asked: Ints, out: Ints) -> None:
    """List the edges of some accounts, each one's templates before the others."""
    count = 0
    for row in range(len(asked)):
        for side in range(2):
            edge = heads[asked[row], side]
            while edge:
                out[count] = edge
                count += 1
                edge = edges.next[edge]


@loop
def users_loop(
    heads: Any, edges: EdgeColumns, asked: Ints, side: int, users: Ints, out: Ints
) -> int:
    """Count the users of each facet; list the facets as they first occur."""
    count = 0
    for row in range(len(asked)):
        edge = heads[asked[row], side]
        while edge:
            facet = edges.facet[edge]
            if not users[facet]:
                out[count] = facet
                count += 1
            users[facet] += 1
            edge = edges.next[edge]
    return count


@loop
def shared_loop(
    heads: Any,
    edges: EdgeColumns,
    home: Any,
    asked: Ints,
    side: int,
    stamps: Ints,
    counts: Ints,
) -> None:
    """Count the accounts that have a facet of the group of each seat."""
    for row in range(len(asked)):
        edge = heads[asked[row], side]
        while edge:
            seat = home[edges.facet[edge]]
            if seat > 0 and stamps[seat] != row + 1:
                stamps[seat] = row + 1
                counts[seat] += 1
            edge = edges.next[edge]


@loop
def members_loop(head: int, edges: EdgeColumns, out: Ints) -> None:
    """List the accounts of a facet's chain."""
    count = 0
    edge = head
    while edge:
        out[count] = edges.account[edge]
        count += 1
        edge = edges.fellow[edge]


@loop
def foreign_loop(
    head: int, heads: Any, edges: EdgeColumns, home: Any, own: int, out: Ints
) -> int:
    """List facets of other groups, in pairs with the account, that members share.

    ``out`` has shape (n, 2) and may be too short: then the pairs that did not fit are
    only counted.
    """
    count = 0
    edge = head
    while edge:
        account = edges.account[edge]
        other = heads[account, 1]
        while other:
            facet = edges.facet[other]
            if home[facet] > 0 and home[facet] != own:
                if count < len(out):
                    out[count, 0] = facet
                    out[count, 1] = account
                count += 1
            other = edges.next[other]
        edge = edges.fellow[edge]
    return count


@loop
def joined_loop(
    heads: Any,
    edges: EdgeColumns,
    home: Any,
    followed: npt.NDArray[np.bool_],
    begin: int,
    end: int,
    out: Keys,
) -> int:
    """List facets of new edges, as keys of the seats of followed groups.

    Groups that the account is in by a template older than ``begin``. Keys that do not
    fit are only counted.
    """
    stamps = np.zeros(len(followed), np.int64)
    count = 0
    for edge in range(begin, end):
        other = heads[edges.account[edge], 0]
        while other and other < begin:  # an account's latest edges come last
            seat = home[edges.facet[other]]
            if seat > 0 and followed[seat] and stamps[seat] != edge:
                stamps[seat] = edge
                if count < len(out):
                    key = np.uint64(seat) << FACET_BITS
                    out[count] = key | np.uint64(edges.facet[edge])
                count += 1
            other = edges.next[other]
    return count


@loop
def strongest_loop(
    heads: Any, edges: EdgeColumns, home: Any, asked: Ints, seat: int, out: Ints
) -> int:
    """List the most used edge of each account into the group of a seat, latest first.

    Accounts are taken in order until ``out`` is full; give how many have one.
    """
    count = 0
    for row in range(len(asked)):
        if count == len(out):
            break
        best = 0
        for side in range(2):
            edge = heads[asked[row], side]
            while edge:
                if home[edges.facet[edge]] == seat and (
                    best == 0
                    or edges.count[edge] > edges.count[best]
                    or (
                        edges.count[edge] == edges.count[best]
                        and edges.last[edge] > edges.last[best]
                    )
                ):
                    best = edge
                edge = edges.next[edge]
        if best:
            out[count] = best
            count += 1
    return count


@loop
def common_loop(
    heads: Any,
    edges: EdgeColumns,
    kind: Any,
    ranks: Ints,
    weights: npt.NDArray[np.float64],
    asked: Ints,
    out: npt.NDArray[np.float64],
) -> None:
    """Add up the weights of each account's templates by kind; give the largest sum.

    Weights are added in the order of ``ranks``, so that sums do not depend on when an
    account used what.
    """
    sums = np.zeros(_TEMPLATES)
    used = np.zeros(len(ranks), np.int64)
    for row in range(len(asked)):
        count = 0
        edge = heads[asked[row], 0]
        while edge:
            facet = edges.facet[edge]
            at = count
            while at > 0 and ranks[used[at - 1]] > ranks[facet]:
                used[at] = used[at - 1]
                at -= 1
            used[at] = facet
            count += 1
            edge = edges.next[edge]
        sums[:] = 0.0
        for at in range(count):
            sums[kind[used[at]]] += weights[used[at]]
        out[row] = sums.max()
