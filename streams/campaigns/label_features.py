"""What labels are learned by: an account's ties to its group, and cheap facts of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Final

from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_nodes import AccountNode
from streams.campaigns.link_views import AccountView
from streams.contracts.time_units import MINUTES_PER_DAY
from streams.features.account_row import FACET_KINDS
from streams.models.label_model import on_grid

__all__ = ["label_features"]

_OLD_DAYS: Final = 30
"""Days after which about two thirds of an account's newness are gone."""
_EVENTS_SCALE: Final = 12  # log2 of 4,096 exchanges
_FACETS_SCALE: Final = 4  # log2 of 15 suspect facets of one kind
_LIKENESS_SCALE: Final = 1000  # hundredths of log-odds; 10 is far out


def label_features(
    graph: LinkGraph, node: AccountNode | AccountView, member: Mapping[str, float]
) -> dict[str, float]:
    """Describe an account for the label model; -1 to 1, on the model's grid.

    ``member`` is what ties it to its group, as `GroupProfile.member` gives it.
    """
    facts = {
        "always": 1.0,
        "templated": node.templated / max(node.events, 1),
        "likeness": node.likeness / _LIKENESS_SCALE,
        "events": math.log2(1 + node.events) / _EVENTS_SCALE,
        "old": _oldness(node),
    }
    kinds = Counter(graph.facets[facet].kind for facet in node.edges)
    for kind, name in enumerate(FACET_KINDS):
        facts[f"facets_{name}"] = math.log2(1 + kinds[kind]) / _FACETS_SCALE
    described = {f"member_{name}": value for name, value in member.items()} | facts
    rounded = {
        name: on_grid(max(-1.0, min(value, 1.0))) for name, value in described.items()
    }
    return {name: value for name, value in rounded.items() if value}


def _oldness(node: AccountNode | AccountView) -> float:
    """0 for an account made when it was first seen, towards 1 for an old one."""
    first = min((edge.first for edge in node.edges.values()), default=node.created)
    if node.created < 0:
        return 0.5
    days = max(first - node.created, 0) / MINUTES_PER_DAY
    return 1 - math.exp(-days / _OLD_DAYS)
