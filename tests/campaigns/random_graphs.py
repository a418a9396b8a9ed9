"""Small random graphs of accounts, templates and infrastructure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from msgspec.structs import astuple

from streams.campaigns.groups import Groups
from streams.campaigns.link_columns import LinkRows
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_nodes import Edge, FacetNode
from streams.features.account_row import FACET_KINDS, TEMPLATE_KINDS

__all__ = ["Use", "build", "edge", "put_link", "use_lists"]

_MINUTE = 28_800_000
_KIND_OF = (0, 0, 1, *range(len(TEMPLATE_KINDS), len(FACET_KINDS)))
_FACETS = len(_KIND_OF)
"""Facets from 1: three templates (head, head, tail), then infrastructure."""


class Use(NamedTuple):
    """An account's use of a facet."""

    account: int
    facet: int
    times: int
    first: int
    lasted: int
    slots: int


_USE = st.builds(
    Use,
    st.integers(0, 7),
    st.integers(1, _FACETS),
    st.integers(1, 9),
    st.integers(0, 20_000),
    st.integers(0, 5_000),
    st.integers(0, 2**20),
)


def use_lists() -> st.SearchStrategy[list[Use]]:
    """Draw uses, at least one of a template."""
    size = st.integers(1, 40)
    drawn = size.flatmap(lambda n: st.lists(_USE, min_size=n, max_size=n))
    return drawn.map(lambda uses: [uses[0]._replace(facet=1), *uses])


def edge(use: Use) -> Edge:
    """Make the edge of a use."""
    first = _MINUTE + use.first
    return Edge(first, first + use.lasted, use.times, use.slots << 1 | 1)


def build(
    uses: list[Use], graph: LinkGraph | None = None, groups: Groups | None = None
) -> tuple[LinkGraph, Groups]:
    """Put uses into a graph one after the other, as link rows come."""
    graph = graph or LinkGraph()
    groups = groups or Groups(graph)
    for use in uses:
        if use.facet not in graph.facets:
            kind = _KIND_OF[use.facet - 1]
            name = "" if kind < len(TEMPLATE_KINDS) else f"name-{use.facet}"
            graph.facets[use.facet] = FacetNode(kind, name, 0, 9, 0.5)
        account = f"account-{use.account}"
        created = -1 if use.account == 7 else _MINUTE - 999 * use.account
        first, last, count, slots, _ = astuple(edge(use))
        own = {"first": first, "last": last, "count": count, "slots": slots}
        own |= {"owner": use.account // 2, "created": created}
        own |= {"events": 99, "templated": 40, "likeness": 7}
        number = put_link(groups, account, use.facet, own)
        node = graph.facets[use.facet]
        node.degree = max(node.degree, len(graph.members[use.facet]) + use.times % 3)
        if node.is_template:
            group = groups.of_template(use.facet, _MINUTE)
            groups.recount({group.number: [number]})
    return graph, groups


def put_link(
    groups: Groups,
    account: str,
    facet: int,
    told: dict[str, Any],
    infrastructure: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> int:
    """Put one membership; give the number of its account."""
    number = groups.graph.number(account)
    columns = {name: np.array([value]) for name, value in told.items()}
    columns["account"] = np.array([number])
    columns["facet"] = np.array([groups.graph.facet_numbers[facet]])
    columns["infrastructure"] = np.array([infrastructure], np.uint64)
    groups.put_links(LinkRows(**columns))
    return number
