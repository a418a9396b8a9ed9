"""Durable state of the campaigns stage: what changed, and its changelog rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import AccountNode, FacetNode, LinkGraph
from streams.engine.marked_rows import MARKER, MarkedRows
from streams.engine.minute_inbox import InboxState
from streams.engine.stage import Row
from streams.features.traffic_day import TrafficDay
from streams.policy.budget import Budget
from streams.policy.ladder import Standing

__all__ = ["CampaignsState"]

_BUDGET: Final = b"b"
_FACET: Final = b"f"
_ACCOUNT: Final = b"a"
_GROUP: Final = b"g"
_CAMPAIGN: Final = b"c"
_STANDING: Final = b"s"
_TRAFFIC: Final = b"t"


class CampaignsState:
    """Graph, groups, campaigns, standing actions and budget, with dirty marks."""

    def __init__(self, graph: LinkGraph, groups: Groups) -> None:
        self.graph = graph
        self.groups = groups
        self.campaigns: dict[int, Campaign] = {}
        self.standing: dict[str, Standing] = {}
        self.budget = Budget()
        self.traffic = TrafficDay()
        self._facets: set[int] = set()
        self._accounts: set[str] = set()
        self._groups: set[int] = set()
        self._standing: set[str] = set()
        self._flushed: InboxState | None = None
        self._restoring = MarkedRows()

    def touch(self, facet: int, account: str) -> None:
        """Mark a facet and an account as changed."""
        self._facets.add(facet)
        self._accounts.add(account)

    def touch_facets(self, facets: Iterable[int]) -> None:
        """Mark facets as changed."""
        self._facets.update(facets)

    def touch_group(self, number: int) -> None:
        """Mark a group, and its campaign if it is one, as changed."""
        self._groups.add(number)

    def merged_group(self, into: int, source: Group) -> None:
        """Mark what a merge of ``source`` changed."""
        self._groups.update((into, source.number))
        self._facets.update(source.facets)

    def stand(self, account: str, standing: Standing) -> None:
        """Set an account's standing action."""
        self.standing[account] = standing
        self._standing.add(account)

    def dirty_rows(self, inbox: InboxState) -> list[Row]:
        """Rows of all that changed, then the marker; empty when nothing moved."""
        if inbox == self._flushed:
            return []
        self._flushed = inbox
        rows = [Row(_BUDGET, _pack(self.budget)), Row(_TRAFFIC, _pack(self.traffic))]
        rows += [
            Row(_FACET + _number(facet), _pack(self.graph.facets[facet]))
            for facet in sorted(self._facets)
        ]
        for account in sorted(self._accounts):
            node = self.graph.accounts[account]
            rows.append(Row(_ACCOUNT + account.encode(), _pack(node)))
        for number in sorted(self._groups):
            group = self.groups.by_number.get(number)
            campaign = self.campaigns.get(number)
            # Uses follow from the accounts' edges: they are counted anew on recovery.
            slim = None
            if group is not None:
                slim = Group(group.number, group.first, group.facets, look=group.look)
            rows.append(Row(_GROUP + _number(number), _pack_or_none(slim)))
            rows.append(Row(_CAMPAIGN + _number(number), _pack_or_none(campaign)))
        for account in sorted(self._standing):
            packed = _pack(self.standing[account])
            rows.append(Row(_STANDING + account.encode(), packed))
        for marks in (self._facets, self._accounts, self._groups, self._standing):
            marks.clear()
        rows.append(Row(MARKER, _pack(inbox)))
        return rows

    def restore(self, rows: Iterable[Row]) -> Iterator[InboxState]:
        """Take rows; at each marker make those before it valid and yield it."""
        for flush in self._restoring.add(rows):
            for row in flush.rows:
                self._set(row)
            self._flushed = msgspec.msgpack.decode(flush.marker, type=InboxState)
            yield self._flushed

    def _set(self, row: Row) -> None:
        kind, rest, value = row.key[:1], row.key[1:], row.value
        if kind == _BUDGET and value is not None:
            self.budget = _unpack(value, Budget)
        elif kind == _TRAFFIC and value is not None:
            self.traffic = _unpack(value, TrafficDay)
        elif kind == _FACET and value is not None:
            self.graph.facets[_as_number(rest)] = _unpack(value, FacetNode)
        elif kind == _ACCOUNT and value is not None:
            self.graph.put_account(rest.decode(), _unpack(value, AccountNode))
        elif kind == _STANDING and value is not None:
            self.standing[rest.decode()] = _unpack(value, Standing)
        elif kind == _GROUP:
            self.groups.by_number.pop(_as_number(rest), None)
            if value is not None:
                self.groups.by_number[_as_number(rest)] = _unpack(value, Group)
        elif kind == _CAMPAIGN:
            self.campaigns.pop(_as_number(rest), None)
            if value is not None:
                self.campaigns[_as_number(rest)] = _unpack(value, Campaign)

    def restored(self) -> None:
        """Drop rows behind the last marker; count the groups' uses anew."""
        self._restoring.drop()
        for group in self.groups.by_number.values():
            group.uses, group.exchanges = {}, 0
            for facet in group.facets:
                for account in self.graph.members.get(facet, ()):
                    if account not in group.uses:
                        self.groups.recount(group, account)


_pack = msgspec.msgpack.encode


def _pack_or_none(struct: msgspec.Struct | None) -> bytes | None:
    return None if struct is None else _pack(struct)


def _unpack(value: bytes, type_: type[Any]) -> Any:
    return msgspec.msgpack.decode(value, type=type_)


def _number(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _as_number(packed: bytes) -> int:
    return int.from_bytes(packed, "little")
