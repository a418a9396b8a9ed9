"""Durable state of the campaigns stage: what changed, and its changelog rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final

import msgspec

from streams.campaigns.campaign import Campaign
from streams.campaigns.graph_rows import pack_accounts, pack_facets, put_accounts
from streams.campaigns.group import Group
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_nodes import FacetNode
from streams.contracts.records import ControlEntry
from streams.engine.marked_rows import MARKER, MarkedRows
from streams.engine.minute_inbox import InboxState
from streams.engine.operation import Operation
from streams.engine.stage import DirtyRows, Row
from streams.errors import StateError
from streams.policy.controls import Controls
from streams.policy.label_book import Disputes, LabelBook, LabelRecord
from streams.policy.standing import Standing

__all__ = ["CampaignsState"]

_FACET: Final = b"f"
_ACCOUNT: Final = b"a"
_GROUP: Final = b"g"
_CAMPAIGN: Final = b"c"
_STANDING: Final = b"s"
_ENTRY: Final = b"e"
_OPERATION: Final = b"o"
_LABEL: Final = b"l"
_DISPUTES: Final = b"d"


class CampaignsState:
    """Graph, groups, campaigns, standing actions and budget, with dirty marks."""

    def __init__(self, graph: LinkGraph, groups: Groups) -> None:
        self.graph = graph
        self.groups = groups
        self.campaigns: dict[int, Campaign] = {}
        self.standing: dict[str, Standing] = {}
        self.operation = Operation()
        self.controls = Controls()
        self.labels = LabelBook()
        self._numbers: dict[str, int] = {}
        self._ends: list[tuple[int, str]] = []
        self._entries: set[str] = set()
        self._labels: set[str] = set()
        self._disputes = False
        self._facets: set[int] = set()
        self._accounts: set[int] = set()
        self._restored: dict[str, bytes] = {}
        self._groups: set[int] = set()
        self._standing: set[str] = set()
        self._flushed: InboxState | None = None
        self._restoring = MarkedRows()

    def touch(self, facets: Iterable[int], accounts: Iterable[str] = ()) -> None:
        """Mark facets, by their hash, and accounts, by their id, as changed."""
        self._facets.update(map(self.graph.facet_numbers.__getitem__, facets))
        self._accounts.update(map(self.graph.numbers.__getitem__, accounts))

    def touch_numbers(self, facets: Iterable[int], accounts: Iterable[int]) -> None:
        """Mark facets and accounts, by their numbers, as changed."""
        self._facets.update(facets)
        self._accounts.update(accounts)

    def touch_group(self, number: int) -> None:
        """Mark a group, and its campaign if it is one, as changed."""
        self._groups.add(number)

    def merged_group(self, into: int, source: Group) -> None:
        """Mark what a merge of ``source`` changed."""
        self._groups.update((into, source.number))
        self.touch(source.facets)

    def stand(self, account: str, standing: Standing) -> None:
        """Set an account's standing action."""
        self.standing[account] = standing
        self._standing.add(account)
        if standing.rung is not None:
            heappush(self._ends, (standing.expires, account))

    def expiring(self, minute: int) -> Iterator[tuple[int, str]]:
        """Give end and account of what ends by ``minute``; the caller ends it."""
        while self._ends and self._ends[0][0] <= minute:
            ends, account = heappop(self._ends)
            standing = self.standing[account]
            if standing.rung is not None and standing.expires == ends:
                yield ends, account

    def put_campaign(self, number: int, campaign: Campaign) -> None:
        """Set the campaign of a group, under its own name and those merged into it."""
        self.campaigns[number] = campaign
        for identifier in campaign.names:
            self._numbers[identifier] = number

    def campaign(self, identifier: str) -> tuple[Group, Campaign] | None:
        """Find a campaign with its group, also by the name of one merged into it."""
        number = self._numbers.get(identifier)
        if number is None:
            return None
        return self.groups.by_number[number], self.campaigns[number]

    def uses_of(self, account: str) -> int:
        """Count the templated exchanges that are known of an account."""
        home = self.home_of(account)
        return home.uses[account] if home else 0

    def home_of(self, account: str) -> Group | None:
        """Choose the group that an account is looked at in.

        That of the campaign it stands under, else of another campaign, else the one
        in which it has most uses.
        """
        if account not in self.graph.accounts:
            return None
        standing = self.standing.get(account)
        found = self.campaign(standing.campaign) if standing else None
        if found is not None and account in found[0].uses:
            return found[0]
        templates = self.graph.templates_of(account)
        numbers = {self.graph.facets[facet].group for facet in templates}
        groups = (self.groups.by_number[number] for number in numbers - {0})
        return min(
            (group for group in groups if account in group.uses),
            key=lambda group: (
                group.number not in self.campaigns,
                -group.uses[account],
                group.number,
            ),
            default=None,
        )

    def put_entry(self, entry: ControlEntry) -> None:
        """Take an operator's entry."""
        self.controls.put(entry)
        self._entries.add(entry.entry_id)

    def withdraw_entry(self, entry_id: str) -> ControlEntry | None:
        """Remove an operator's entry; give it, or None when there was none."""
        self._entries.add(entry_id)
        return self.controls.withdraw(entry_id)

    def put_label(self, record: LabelRecord) -> None:
        """Take a label for what learns from labels; the oldest may have to go."""
        self.labels.put(record)
        self._labels.update((record.entry_id, *self.labels.overflow()))

    def withdraw_label(self, entry_id: str) -> None:
        """Remove a label from what learns from labels."""
        record = self.labels.withdraw(entry_id)
        if record is not None:
            self._labels.add(entry_id)
            self.settle_labels(record)

    def dispute_labels(self, author: str, minute: int) -> None:
        """Learn nothing of an author's from now on."""
        self.labels.dispute(author, minute)
        self._disputes = True

    def settle_labels(self, record: LabelRecord) -> None:
        """End disputes that a label, new or gone, has made pointless."""
        self._disputes |= bool(self.labels.settle(record))

    def is_label_news(self, key: str, day: int) -> bool:
        """Whether something about labels was not told on that day; now it is."""
        news = self.labels.is_news(key, day)
        self._disputes |= news
        return news

    def dirty_rows(self, inbox: InboxState) -> DirtyRows:
        """Rows of all that changed, then the marker; empty when nothing moved."""
        rows = DirtyRows()
        if inbox == self._flushed:
            return rows
        self._flushed = inbox
        rows.append(_OPERATION, _pack(self.operation))
        for entry_id in sorted(self._entries):
            entry = self.controls.entries.get(entry_id)
            rows.append(_ENTRY + entry_id.encode(), _pack_or_none(entry))
        self._entries.clear()
        self._put_label_rows(rows)
        for facet, packed in pack_facets(self.graph, sorted(self._facets)):
            rows.append(_FACET + _number(facet), packed)
        ids, values = pack_accounts(self.graph, sorted(self._accounts))
        rows.extend([_ACCOUNT + account for account in ids], values)
        for number in sorted(self._groups):
            group = self.groups.by_number.get(number)
            campaign = self.campaigns.get(number)
            # Uses follow from the accounts' edges: they are counted anew on recovery.
            slim = None
            if group is not None:
                slim = msgspec.structs.replace(group, uses={}, exchanges=0)
            rows.append(_GROUP + _number(number), _pack_or_none(slim))
            rows.append(_CAMPAIGN + _number(number), _pack_or_none(campaign))
        for account in sorted(self._standing):
            packed = _pack(self.standing[account])
            rows.append(_STANDING + account.encode(), packed)
        for marks in (self._facets, self._accounts, self._groups, self._standing):
            marks.clear()
        rows.append(MARKER, _pack(inbox))
        return rows

    def _put_label_rows(self, rows: DirtyRows) -> None:
        for entry_id in sorted(self._labels):
            record = self.labels.records.get(entry_id)
            rows.append(_LABEL + entry_id.encode(), _pack_or_none(record))
        self._labels.clear()
        if self._disputes:
            rows.append(_DISPUTES, _pack(self.labels.disputes))
            self._disputes = False

    def restore(self, rows: Iterable[Row]) -> Iterator[InboxState]:
        """Take rows; make those before the last marker valid and yield it."""
        for flush in self._restoring.add(rows):
            for row in flush.rows:
                self._set(row)
            self._flushed = msgspec.msgpack.decode(flush.marker, type=InboxState)
            yield self._flushed

    def _set(self, row: Row) -> None:
        kind, rest, value = row.key[:1], row.key[1:], row.value
        if kind == _OPERATION and value is not None:
            self.operation = _unpack(value, Operation)
        elif kind == _ENTRY:
            self.controls.withdraw(rest.decode())
            if value is not None:
                self.controls.put(_unpack(value, ControlEntry))
        elif kind == _FACET and value is not None:
            self.graph.facets[_as_number(rest)] = _unpack(value, FacetNode)
        elif kind == _ACCOUNT and value is not None:
            self._restored[rest.decode()] = value
        elif kind == _STANDING and value is not None:
            self.standing[rest.decode()] = _unpack(value, Standing)
        elif kind in (_GROUP, _CAMPAIGN):
            self._set_group(kind, _as_number(rest), value)
        elif kind in (_LABEL, _DISPUTES):
            self._set_label(kind, rest.decode(), value)

    def _set_label(self, kind: bytes, entry_id: str, value: bytes | None) -> None:
        if kind == _DISPUTES and value is not None:
            self.labels.disputes = _unpack(value, Disputes)
        elif kind == _LABEL:
            self.labels.withdraw(entry_id)
            if value is not None:
                self.labels.put(_unpack(value, LabelRecord))

    def _set_group(self, kind: bytes, number: int, value: bytes | None) -> None:
        if kind == _GROUP:
            self.groups.by_number.pop(number, None)
            if value is not None:
                self.groups.by_number[number] = _unpack(value, Group)
        else:
            self.campaigns.pop(number, None)
            if value is not None:
                self.put_campaign(number, _unpack(value, Campaign))

    def restored(self) -> None:
        """Drop rows behind the last marker; count the groups' uses anew."""
        self._restoring.drop()
        self._ends = [
            (standing.expires, account)
            for account, standing in self.standing.items()
            if standing.rung is not None
        ]
        heapify(self._ends)
        # Of which kind a facet is may be told in a later row than who uses it.
        put_accounts(self.graph, self._restored)
        self._restored.clear()
        self.groups.recount_all()


_pack = msgspec.msgpack.encode


def _pack_or_none(struct: msgspec.Struct | None) -> bytes | None:
    return None if struct is None else _pack(struct)


def _unpack(value: bytes, type_: type[Any]) -> Any:
    try:
        return msgspec.msgpack.decode(value, type=type_)
    except msgspec.ValidationError as error:
        raise StateError(
            f"a row of {type_.__name__} has another layout: the changelog was written "
            f"by another version; start with a new app_id"
        ) from error


def _number(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _as_number(packed: bytes) -> int:
    return int.from_bytes(packed, "little")
