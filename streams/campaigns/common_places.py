"""How far two groups of accounts come from the same networks and payments."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from itertools import chain
from typing import Final

from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph

__all__ = ["PLACE_KINDS", "common_places"]

PLACE_KINDS: Final = frozenset({"payment", "network"})
"""Kinds of facet that there are many of. Clients and TLS fingerprints are too few in
the world to tell anything about two groups."""


def common_places(graph: LinkGraph, one: Group, other: Group) -> float:
    """Give the intersection of both groups' histograms over networks and payments.

    Of accounts that are in one group only: two companies, of which a few people know
    the other's wording, have no place in common but those people's. The result lies in
    0 to 2, as an account counts once for its networks and once for its payments, if it
    has one of each. A facet counts with its purity, the share of its accounts that use
    a suspect template: a carrier's network tells nothing.
    """
    shares = _shares(graph, one.uses.keys() - other.uses.keys())
    others = _shares(graph, other.uses.keys() - one.uses.keys())
    return math.fsum(
        min(shares[facet], others[facet]) * graph.purity(facet)
        for facet in sorted(shares.keys() & others.keys())
    )


def _shares(graph: LinkGraph, accounts: Collection[str]) -> dict[int, float]:
    """Give the share of some accounts that use each network and payment."""
    used = (graph.accounts[account].edges for account in accounts)
    users = Counter(chain.from_iterable(used))
    return {
        facet: count / len(accounts)
        for facet, count in users.items()
        if graph.facets[facet].kind_name in PLACE_KINDS
    }
