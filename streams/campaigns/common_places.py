"""How far two groups of accounts come from the same networks and payments."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Final

import numpy as np

from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.features.account_row import FACET_KINDS

__all__ = ["IS_PLACE", "PLACE_KINDS", "common_places"]

PLACE_KINDS: Final = frozenset({"payment", "network"})
"""Kinds of facet that there are many of. Clients and TLS fingerprints are too few in
the world to tell anything about two groups."""

IS_PLACE: Final = np.array([kind in PLACE_KINDS for kind in FACET_KINDS])
"""Whether a facet of a kind, by number, is one of them."""


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
        min(shares[facet], others[facet]) * purity
        for facet, purity in _purities(graph, shares.keys() & others.keys())
    )


def _shares(graph: LinkGraph, accounts: Collection[str]) -> dict[int, float]:
    """Give the share of some accounts that use each network and payment, by number."""
    facets, users = graph.users_of(graph.numbers_of(accounts), 1)
    kept = IS_PLACE[graph.facet.at.kind[facets]]
    shares = users[kept] / max(len(accounts), 1)
    return dict(zip(facets[kept].tolist(), shares.tolist(), strict=True))


def _purities(graph: LinkGraph, facets: Collection[int]) -> Iterable[tuple[int, float]]:
    numbers = np.fromiter(facets, np.int64, len(facets))
    members = graph.facet.at.members[numbers].astype(np.int64)
    purities = graph.purities(numbers, members).tolist()
    return zip(numbers.tolist(), purities, strict=True)
