"""How many accounts of a group use each suspect facet, for groups that are followed."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from streams.campaigns.link_columns import FACET_BITS
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_loops import joined_loop
from streams.features.key_table import KeyTable

__all__ = ["FacetUsers"]

_FIRST_ROWS: Final = 256
_FACETS: Final = (np.uint64(1) << FACET_BITS) - np.uint64(1)

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


class FacetUsers:
    """Counts by seat of the group and number of the facet, in one table for all groups.

    ``counts`` has them by the row of their key in ``table``, which is the seat, shifted
    by `FACET_BITS`, and the facet.
    """

    def __init__(self, graph: LinkGraph) -> None:
        self._graph = graph
        self.table = KeyTable()
        self.counts = np.zeros(_FIRST_ROWS, np.int64)
        self._keys = np.zeros(_FIRST_ROWS, np.uint64)
        self._followed = np.zeros(_FIRST_ROWS, np.bool_)
        self._found = np.zeros(_FIRST_ROWS, np.uint64)

    def follow(self, seat: int) -> None:
        """Count what accounts of a group begin to use, from now on."""
        if seat >= len(self._followed):
            self._followed = np.append(self._followed, np.zeros(seat + 1, np.bool_))
        self._followed[seat] = True

    def leave(self, seat: int) -> None:
        """Count no more for a group."""
        self._followed[seat] = False

    def join(self, accounts: Ints, seats: Ints) -> None:
        """Count all that accounts use, which have joined the groups of some seats."""
        graph = self._graph
        facets = graph.edge.at.facet[graph.edges_of(accounts)]
        counts = graph.account.at.links[accounts].sum(axis=1)
        shifted = np.repeat(seats.astype(np.uint64), counts) << FACET_BITS
        self._add(shifted | facets.astype(np.uint64))

    def link(self, begin: int) -> None:
        """Count edges, from ``begin`` on, of accounts that the groups had before."""
        graph = self._graph
        if graph.seats > len(self._followed):
            self._followed = np.append(self._followed, np.zeros(graph.seats, np.bool_))
        walked = graph.account.at.heads, graph.edge.at, graph.facet.at.home
        asked = self._followed, begin, graph.edges
        count = joined_loop(*walked, *asked, self._found)
        if count > len(self._found):
            self._found = np.zeros(2 * count, np.uint64)
            joined_loop(*walked, *asked, self._found)
        if count:
            self._add(self._found[:count])

    def _add(self, keys: Keys) -> None:
        rows, new = self.table.find_or_number(keys, len(self.table))
        known = len(self.table)
        if known > len(self.counts):
            self.counts = np.append(self.counts, np.zeros(known, np.int64))
            self._keys = np.append(self._keys, np.zeros(known, np.uint64))
        self._keys[known - len(new) : known] = keys[new]
        np.add.at(self.counts, rows, 1)

    def of(self, seat: int) -> tuple[Ints, Ints]:
        """Give the facets that accounts of a followed group use, and the counts."""
        keys = self._keys[: len(self.table)]
        rows = np.flatnonzero(keys >> FACET_BITS == np.uint64(seat))
        return (keys[rows] & _FACETS).astype(np.int64), self.counts[rows]
