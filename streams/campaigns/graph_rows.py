"""What is written of accounts and facets of the graph: bytes to keep, and to read back.

An account's row is a head, its edges and the name of the campaign that named it. They
are made and read as columns, as there are thousands a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from streams.campaigns.link_columns import LinkRows
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_nodes import FacetNode
from streams.campaigns.link_views import FAMILY_LISTS
from streams.errors import StateError
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.whole_rows import row_bytes

__all__ = ["pack_accounts", "pack_facets", "put_accounts"]

_VERSION: Final = 1

_HEAD: Final = np.dtype(
    [
        ("version", "|u1"),
        ("owner", "<u8"),
        ("infrastructure", "<u8", (len(INFRASTRUCTURE_KINDS),)),
        ("created", "<i4"),
        ("events", "<u4"),
        ("templated", "<u4"),
        ("likeness", "<i2"),
        ("edges", "<u4"),
    ]
)
_OF_ACCOUNT: Final = ("owner", "infrastructure", "created", "events", "templated",
                      "likeness")  # fmt: skip
_EDGE: Final = np.dtype(
    [
        ("facet", "<u8"),
        ("slots", "<u8"),
        ("first", "<i4"),
        ("last", "<i4"),
        ("count", "<u4"),
        ("events", "<u4"),
    ]
)
_OF_FACET: Final = ("kind", "degree", "samples", "distinct", "families", "next_check",
                    "next_joining")  # fmt: skip
_OF_EDGE: Final = ("slots", "first", "last", "count", "events")

Ints = npt.NDArray[np.int64]


def pack_facets(graph: LinkGraph, facets: Iterable[int]) -> list[tuple[int, bytes]]:
    """Give hash and row of facets, by number."""
    numbers, at, pack = list(facets), graph.facet.at, msgspec.msgpack.encode
    held = {name: getattr(at, name)[numbers].tolist() for name in _OF_FACET}
    held["name"] = [graph.facet_names[number] for number in numbers]
    held["families"] = [FAMILY_LISTS[bits] for bits in held["families"]]
    held["group"] = [graph.group_at(seat) for seat in at.home[numbers].tolist()]
    hashes = at.hash[numbers].tolist()
    fields = zip(*(held[name] for name in FacetNode.__struct_fields__), strict=True)
    return [(facet, pack(row)) for facet, row in zip(hashes, fields, strict=True)]


def pack_accounts(
    graph: LinkGraph, accounts: list[int]
) -> tuple[list[bytes], list[bytes]]:
    """Give ids, in UTF-8, and rows of accounts, by number."""
    numbers = np.array(accounts, np.int64)
    at, edge, named = graph.account.at, graph.edge.at, graph.named
    head = np.zeros(len(numbers), _HEAD)
    head["version"] = _VERSION
    for name in _OF_ACCOUNT:
        head[name] = getattr(at, name)[numbers]
    counts = at.links[numbers].sum(axis=1)
    head["edges"] = counts
    listed = graph.edges_of(numbers)
    rows = np.empty(len(listed), _EDGE)
    rows["facet"] = graph.facet.at.hash[edge.facet[listed]]
    for name in _OF_EDGE:
        rows[name] = getattr(edge, name)[listed]
    block, ends = rows.tobytes(), (_EDGE.itemsize * np.cumsum(counts)).tolist()
    ids = [graph.names[number] for number in accounts]
    packed, begin = [], 0
    for account, own, end in zip(ids, row_bytes(head), ends, strict=True):
        packed.append(own + block[begin:end] + named.get(account, "").encode())
        begin = end
    return [account.encode() for account in ids], packed


def put_accounts(graph: LinkGraph, packed: Mapping[str, bytes]) -> None:
    """Put accounts from what `pack_accounts` gave; all their facets are known."""
    if not packed:
        return
    size, values = _HEAD.itemsize, list(packed.values())
    if any(len(value) < size for value in values):
        raise _another_layout()
    head = np.frombuffer(b"".join(value[:size] for value in values), _HEAD)
    ends = (size + _EDGE.itemsize * head["edges"].astype(np.int64)).tolist()
    block = b"".join(value[size:end] for value, end in zip(values, ends, strict=True))
    whole = len(block) == sum(ends) - size * len(ends)
    if not whole or np.any(head["version"] != _VERSION):
        raise _another_layout()
    edges = np.frombuffer(block, _EDGE)
    numbers = np.array([graph.number(account) for account in packed], np.int64)
    known, which = np.unique(edges["facet"], return_inverse=True)
    facets = [graph.facet_numbers[facet] for facet in known.tolist()]
    of = np.repeat(np.arange(len(head)), head["edges"])
    columns: dict[str, Any] = {name: head[name][of] for name in _OF_ACCOUNT}
    columns |= {name: np.ascontiguousarray(edges[name]) for name in _OF_EDGE}
    columns |= {"account": numbers[of], "facet": np.array(facets, np.int64)[which]}
    graph.put(LinkRows(**columns))
    at = graph.account.at
    at.known[numbers] = True
    for name in _OF_ACCOUNT:
        getattr(at, name)[numbers] = head[name]
    for account, value, end in zip(packed, values, ends, strict=True):
        if len(value) > end:
            graph.named[account] = value[end:].decode()


def _another_layout() -> StateError:
    return StateError(
        "rows of accounts have another layout: the changelog was written by another "
        "version; start with a new app_id"
    )
