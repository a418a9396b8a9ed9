"""An account, a suspect facet and an edge between them, each as one object.

They are for people, and for what is put or read one at a time. What is counted
and compared minute by minute lies in columns; see `streams.campaigns.link_columns`.
"""

from __future__ import annotations

import msgspec

from streams.features.account_row import FACET_KINDS

__all__ = ["AccountNode", "Edge", "FacetNode"]


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
