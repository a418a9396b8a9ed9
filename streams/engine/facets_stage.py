"""The facets stage: rolling state per fingerprint, pooled over all accounts.

One object per partition of llm.facets. It watches for templates that several owners
fill in differently, and for infrastructure that several evidence-bearing owners share,
and sends the memberships of such suspect facets on. A suspicion accuses nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from streams.contracts.column_batch import Columns, unpack_columns
from streams.engine.link_rows import LinkRow, member_links, traffic_row
from streams.engine.marked_rows import MARKER, MarkedRows
from streams.engine.minute_inbox import InboxState
from streams.engine.minute_inbox import Row as InboxRow
from streams.engine.minute_stage import MinuteStage
from streams.engine.stage import Output, Row
from streams.errors import UndecodableRecord
from streams.features.account_row import INFRASTRUCTURE_KINDS, TEMPLATE_KINDS, TRAFFIC
from streams.features.facet_state import MAX_MEMBERS, FacetState, Member, distinct_share
from streams.models.drift import REMEMBERED_HOURS, pivot_model
from streams.models.families import families_of

__all__ = ["FacetsStage"]

MIN_TEMPLATE_OWNERS: Final = 5
"""Owners that must share a template before it links anybody (design study: five)."""

MIN_INFRASTRUCTURE_OWNERS: Final = 3
"""Evidence-bearing owners that must share a network, payment, … to be a link."""

MIN_DISTINCT_FILLINGS: Final = 0.3
"""Below this share of distinct fillings a template is a repeated prompt."""

MAX_LINK_DEGREE: Final = 20_000
"""A facet that more accounts use is a carrier or a popular SDK: its discount would
leave nothing of the link (FRAUDAR's log-degree weight, Hooi et al. 2016)."""

_FACET: Final = b"f"
_MEMBER: Final = b"m"
_OWN: Final = ("owner", "created", "events", "templated", "likeness", "markers")
_TEMPLATES: Final = len(TEMPLATE_KINDS)


class FacetsStage(MinuteStage[LinkRow]):
    """Rolling state of the facets of one partition of llm.facets."""

    record = "FacetSums"

    def __init__(self, partition: int, *, request_partitions: int) -> None:
        super().__init__(partition, sources=request_partitions)
        self.facets: dict[int, FacetState] = {}
        self.members: dict[int, dict[str, Member]] = {}
        self._owners: dict[int, set[int]] = {}
        self._dirty_facets: set[int] = set()
        self._dirty_members: set[tuple[int, str]] = set()
        self._flushed: InboxState | None = None
        self._restoring = MarkedRows()

    def _decode(self, payload: bytes) -> list[InboxRow]:
        return _rows(payload)

    def _outputs(self, news: list[LinkRow], closed: int) -> list[Output]:
        return member_links(news, source_partition=self.partition, closed_minute=closed)

    def _apply_minute(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> Iterator[LinkRow]:
        traffic = sum(row[4] for row in rows if row[3] == TRAFFIC)
        if traffic:
            yield traffic_row(minute, traffic)
        touched = self._take_rows(minute, rows)
        newly_suspect: dict[int, None] = {}
        for facet, _ in touched:
            state = self.facets[facet]
            if not state.suspect and self._is_suspect(facet, state):
                state.suspect = True
                newly_suspect[facet] = None
        for facet in newly_suspect:
            for account in sorted(self.members[facet]):
                yield self._link(minute, facet, account)
        for facet, account in touched:
            known = self.facets[facet].suspect and account in self.members[facet]
            if known and facet not in newly_suspect:
                yield self._link(minute, facet, account)

    def _take_rows(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> dict[tuple[int, str], None]:
        """Apply the rows of a minute; give the memberships they touch, in order."""
        touched: dict[tuple[int, str], None] = {}
        for row in rows:
            facet = row[1]
            if row[2]:
                self._use(minute, row)
                touched[facet, row[2]] = None
            elif row[3] != TRAFFIC:
                self._count(minute, row)
        return touched

    def _count(self, minute: int, row: tuple[Any, ...]) -> None:
        """Add a partition's traffic and new accounts of an infrastructure facet."""
        _, facet, _, kind, events, accounts = row
        state = self.facets.get(facet)
        if state is None:
            state = self.facets[facet] = FacetState(kind, "", minute, minute)
        state.last = minute
        state.traffic += events
        state.degree += accounts
        self._dirty_facets.add(facet)

    def _use(self, minute: int, row: tuple[Any, ...]) -> None:
        """Add a row of an account's use of a facet with evidence of its own."""
        _, facet, account, kind, name, model, count, use, exact = row
        state = self.facets.get(facet)
        if state is None:
            state = self.facets[facet] = FacetState(kind, name, minute, minute)
        state.name = state.name or name
        state.last = minute
        state.exchanges += count
        if not state.hours or state.hours[-1][0] != minute // 60:
            self._close_hour(state, minute // 60)
        models = state.hours[-1][1]
        models[model] = models.get(model, 0) + count
        for filling in exact:
            state.fillings.add(filling)
        self._dirty_facets.add(facet)
        members = self.members.setdefault(facet, {})
        owner, created, events, templated, likeness, markers, infrastructure = use
        for family in families_of(markers):
            state.families[family] = state.families.get(family, 0) + count
        member = members.get(account)
        if member is None:
            if len(members) >= MAX_MEMBERS:
                self._forget_oldest(facet, members)
            member = members[account] = Member(owner, created, minute, minute)
            self._owners.setdefault(facet, set()).add(owner)
        member.use(minute, count)
        member.events, member.templated = events, templated
        member.likeness = likeness
        member.infrastructure = infrastructure
        self._dirty_members.add((facet, account))

    def _forget_oldest(self, facet: int, members: dict[str, Member]) -> None:
        """Make room: drop the quarter that was silent longest, ties by account."""
        oldest = sorted(members, key=lambda account: (members[account].last, account))
        for account in oldest[: MAX_MEMBERS // 4]:
            del members[account]
            self._dirty_members.add((facet, account))
        self._owners[facet] = {member.owner for member in members.values()}

    def _close_hour(self, state: FacetState, hour: int) -> None:
        if state.suspect and len(state.hours) > 1:
            state.drift = pivot_model(state.hours)
        state.hours.append((hour, {}))
        del state.hours[:-REMEMBERED_HOURS]

    def _is_suspect(self, facet: int, state: FacetState) -> bool:
        owners = len(self._owners[facet])
        if state.kind >= _TEMPLATES:
            return owners >= MIN_INFRASTRUCTURE_OWNERS and (
                state.degree <= MAX_LINK_DEGREE
            )
        share = distinct_share(state.fillings.samples, state.fillings.ones())
        return owners >= MIN_TEMPLATE_OWNERS and share >= MIN_DISTINCT_FILLINGS

    def _link(self, minute: int, facet: int, account: str) -> LinkRow:
        state = self.facets[facet]
        member = self.members[facet][account]
        share = distinct_share(state.fillings.samples, state.fillings.ones())
        return LinkRow(
            minute=minute,
            facet=facet,
            account=account,
            kind=state.kind,
            name=state.name,
            degree=max(state.degree, len(self.members[facet])),
            exchanges=state.exchanges,
            samples=state.fillings.samples,
            distinct=round(share, 6),
            pivot=state.drift,
            families=self._families(state),
            **msgspec.structs.asdict(member),
        )

    @staticmethod
    def _families(state: FacetState) -> list[str]:
        """Name the families that most uses of a facet belong to."""
        most = state.exchanges / 2
        return sorted(name for name, count in state.families.items() if count > most)

    def dirty_rows(self) -> list[Row]:
        """Give changed facets and memberships, then the marker."""
        state = self._inbox.state()
        if state == self._flushed:
            return []
        self._flushed = state
        encode = msgspec.msgpack.encode
        rows = [
            Row(_FACET + facet.to_bytes(8, "little"), encode(self.facets[facet]))
            for facet in sorted(self._dirty_facets)
        ]
        for facet, account in sorted(self._dirty_members):
            member = self.members[facet].get(account)
            key = _MEMBER + facet.to_bytes(8, "little") + account.encode()
            rows.append(Row(key, None if member is None else encode(member)))
        self._dirty_facets.clear()
        self._dirty_members.clear()
        rows.append(Row(MARKER, encode(state)))
        return rows

    def restore(self, rows: Iterable[Row]) -> None:
        """Take changelog rows; a marker makes the rows before it valid."""
        for flush in self._restoring.add(rows):
            self._set(flush.rows)
            state = msgspec.msgpack.decode(flush.marker, type=InboxState)
            self._inbox.restore(state)
            self._sent_minute = state.applied_minute
            self._flushed = state

    def _set(self, rows: list[Row]) -> None:
        decode = msgspec.msgpack.decode
        for key, value in rows:
            facet = int.from_bytes(key[1:9], "little")
            if key[:1] == _FACET and value is not None:
                self.facets[facet] = decode(value, type=FacetState)
            elif key[:1] == _MEMBER:
                members = self.members.setdefault(facet, {})
                members.pop(key[9:].decode(), None)
                if value is not None:
                    members[key[9:].decode()] = decode(value, type=Member)

    def restored(self) -> None:
        """Drop rows behind the last marker, and count the owners anew."""
        self._restoring.drop()
        for facet, members in self.members.items():
            self._owners[facet] = {member.owner for member in members.values()}


def _rows(payload: bytes) -> list[tuple[Any, ...]]:
    """Turn columns into sortable rows; a sum row has an empty account."""
    columns = unpack_columns(payload)
    try:
        return [*_member_rows(columns), *_sum_rows(columns)]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UndecodableRecord(
            "the payload does not hold the columns of facet sums: was the record "
            "written by another version of distillwatch?"
        ) from error


def _member_rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    if "minute" in columns:
        text = {
            name: [columns[name][n] for n in columns[f"{name}_number"].tolist()]
            for name in ("account", "name", "model")
        }
        number = {
            name: columns[name].tolist()
            for name in ("minute", "facet", "kind", "count", "fillings", "exact")
        }
        lists = (columns[name].tolist() for name in INFRASTRUCTURE_KINDS)
        infrastructure = zip(*lists, strict=True)
        own = zip(
            *(columns[name].tolist() for name in _OWN),
            infrastructure,
            strict=True,
        )
        end = 0
        for row, use in enumerate(own):
            start, end = end, end + number["fillings"][row]
            yield (
                number["minute"][row],
                number["facet"][row],
                text["account"][row],
                number["kind"][row],
                text["name"][row],
                text["model"][row],
                number["count"][row],
                use,
                tuple(number["exact"][start:end]),
            )


def _sum_rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    if "sum_minute" in columns:
        names = ("sum_minute", "sum_facet", "sum_kind", "sum_events", "sum_accounts")
        for minute, facet, kind, events, accounts in zip(
            *(columns[name].tolist() for name in names), strict=True
        ):
            yield minute, facet, "", kind, events, accounts
