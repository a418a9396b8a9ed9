"""Columns of the graph: accounts, suspect facets, and the edges between them.

Accounts and facets are numbered from 0 as they become known, edges from 1. An account's
edges are two chains in the order of first use, templates and infrastructure; a facet's
are one, the latest first. The number 0 ends a chain.
"""

from __future__ import annotations

from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import columns
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.zero_pages import zero_pages

__all__ = [
    "FACET_BITS",
    "AccountColumns",
    "EdgeColumns",
    "FacetColumns",
    "LinkRows",
    "Table",
    "account_table",
    "edge_table",
    "facet_table",
]

FACET_BITS: Final = np.uint64(32)
"""Bits of a facet's number in a key; above are those of an account or of a seat."""

_FIRST_CAPACITY: Final = 256

Ints = npt.NDArray[np.int64]
ColumnsT = TypeVar("ColumnsT", bound=NamedTuple)


class AccountColumns(NamedTuple):
    """Accounts with evidence; see `streams.campaigns.link_nodes.AccountNode`.

    ``first`` is the minute of the first use of any suspect facet; ``heads``, ``tails``
    and ``links`` are the first and last edge of both chains, and how many they have.
    """

    known: Any
    owner: Any
    infrastructure: Any
    created: Any
    first: Any
    events: Any
    templated: Any
    likeness: Any
    heads: Any
    tails: Any
    links: Any


class FacetColumns(NamedTuple):
    """Suspect facets; see `streams.campaigns.link_nodes.FacetNode`.

    ``home`` is the seat of its group, 0 for none; ``members`` counts the edges.
    """

    hash: Any
    distinct: Any
    next_check: Any
    next_joining: Any
    kind: Any
    degree: Any
    samples: Any
    families: Any
    home: Any
    members: Any
    head: Any


class EdgeColumns(NamedTuple):
    """Uses of suspect facets; see `streams.campaigns.link_nodes.Edge`.

    ``next`` goes on with the account's chain, ``fellow`` with the facet's.
    """

    slots: Any
    account: Any
    facet: Any
    first: Any
    last: Any
    count: Any
    events: Any
    next: Any
    fellow: Any


class LinkRows(NamedTuple):
    """What is told of memberships: an account in a facet each, by their numbers.

    The other columns are as in `streams.engine.link_news.LINK_COLUMNS`;
    ``infrastructure`` has the hashes of the account's infrastructure, shape (n, 4).
    """

    account: Any
    facet: Any
    owner: Any
    created: Any
    first: Any
    last: Any
    count: Any
    events: Any
    templated: Any
    likeness: Any
    slots: Any
    infrastructure: Any


_TYPES: Final = {
    "slots": "<u8",
    "hash": "<u8",
    "owner": "<u8",
    "infrastructure": ("<u8", (len(INFRASTRUCTURE_KINDS),)),
    "distinct": "<f8",
    "next_check": "<i8",
    "next_joining": "<i8",
    "degree": "<i8",
    "samples": "<i8",
    "likeness": "<i2",
    "kind": "|i1",
    "known": "|b1",
    **dict.fromkeys(("count", "events", "templated", "families"), "<u4"),
    **dict.fromkeys(("heads", "tails", "links"), ("<i4", (2,))),
}
"""Types of columns; numbers and minutes are four bytes."""


class Table(Generic[ColumnsT]):
    """Records that grow; ``at`` has their columns as views.

    A random account's columns lie close together so.
    """

    def __init__(self, kind: type[ColumnsT]) -> None:
        fields = [(name, _TYPES.get(name, "<i4")) for name in kind._fields]
        self._kind = kind
        self._dtype = np.dtype(
            [(n, *t) if isinstance(t, tuple) else (n, t) for n, t in fields],
            align=True,
        )
        self._put(zero_pages(_FIRST_CAPACITY, self._dtype))

    def _put(self, rows: npt.NDArray[Any]) -> None:
        self._rows = rows
        self.at = columns(self._kind, rows)

    def make_room(self, count: int) -> None:
        """Have room for ``count`` records."""
        if count > len(self._rows):
            rows = zero_pages(2 * count, self._dtype)
            rows[: len(self._rows)] = self._rows
            self._put(rows)


def account_table() -> Table[AccountColumns]:
    """Make an empty table of accounts."""
    return Table(AccountColumns)


def facet_table() -> Table[FacetColumns]:
    """Make an empty table of facets."""
    return Table(FacetColumns)


def edge_table() -> Table[EdgeColumns]:
    """Make an empty table of edges."""
    return Table(EdgeColumns)
