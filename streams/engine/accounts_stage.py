"""The accounts stage: a chunk's way from bytes to account state and facet sums.

One object per partition of llm.requests. Read `AccountsStage` from top to bottom:
`take` decodes and buffers, `advance` applies whole closed minutes, `dirty_rows` and
`restore` are the changelog. Nothing is applied before its minute is closed, so the
state is a function of whole minutes and the cutting of chunks cannot matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from itertools import repeat
from operator import add
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from streams.contracts import WriterSchemas
from streams.contracts.compiled import loops
from streams.contracts.time_units import (
    HOURS_PER_DAY,
    MINUTES_PER_DAY,
    MINUTES_PER_HOUR,
    MS_PER_HOUR,
)
from streams.engine.event_intake import SILENT_MINUTES, EventIntake
from streams.engine.facet_rows import FacetRows, facet_sums
from streams.engine.marked_rows import MARKER, MarkedRows
from streams.engine.row_block import RowBlock
from streams.engine.sharing_gate import sharing_uses
from streams.engine.stage import Chunk, DirtyRows, Output, Rejected, Row
from streams.errors import StateError
from streams.features.account_row import INFRASTRUCTURE_KINDS, PAYMENT, ROW_VERSION
from streams.features.account_table import AccountTable
from streams.features.account_update import (
    begin_rows,
    first_uses,
    group_by_number,
    update_rows,
)
from streams.features.event_columns import EventColumns
from streams.features.facet_directory import FacetDirectory
from streams.features.segments import run_starts
from streams.features.shared_templates import SharedTemplates
from streams.features.whole_rows import put_rows, take_rows
from streams.models.likeness import Likeness, account_features, plain_rows
from streams.sketch.catalogue import CatalogueIndex

__all__ = [
    "LIKENESS_GATE",
    "LOOKS",
    "TELLING_DAYS",
    "TEMPLATED_MINUTES",
    "AccountsStage",
]

LOOKS: Final = 25 * 2 ** np.arange(24)
"""Event counts at which an account's likeness is taken: 25, 50, 100, 200, …"""

LIKENESS_GATE: Final = 0
"""Log-odds x 100 above which an account's infrastructure travels without a template.
The reference places 0 at the 99th percentile of ordinary accounts."""

TEMPLATED_MINUTES: Final = 60 * MINUTES_PER_DAY
"""Minutes by which an account with templated exchanges is remembered for longer."""

TELLING_DAYS: Final = 15
"""Days after which accounts tell the facets stage of their infrastructure again, well
before that forgets it."""

_ACCOUNT: Final = b"a"
_FACET: Final = b"f"
_TEMPLATES: Final = b"t"


class _Marker(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a flush: the place up to which the rows before it are whole."""

    version: int
    applied_offset: int
    closed_minute: int


class AccountsStage:
    """Rolling state of the accounts of one partition of llm.requests."""

    def __init__(
        self,
        partition: int,
        *,
        facet_partitions: int,
        likeness: Likeness,
        max_future_hours: float,
        writers: WriterSchemas | None = None,
        catalogue: CatalogueIndex | None = None,
    ) -> None:
        self.partition = partition
        self.accounts = AccountTable()
        self.directory = FacetDirectory()
        self.shared_templates = SharedTemplates()
        self.intake = EventIntake(
            self.accounts,
            self.directory,
            int(max_future_hours * MS_PER_HOUR),
            writers,
            catalogue,
        )
        self._likeness = likeness
        self._facet_partitions = facet_partitions
        self._pending: list[EventColumns] = []
        self._open_minute: int | None = None
        self._closed_minute = -1
        self._sent_minute = -1
        self._next_offset = 0
        self._applied_offset = 0
        self._flushed: _Marker | None = None
        self._looked_at = -1  # the day at whose begin the silent were forgotten
        self._restoring = MarkedRows()

    @property
    def applied_offset(self) -> int:
        """Offset of the first record that is not yet wholly in the state."""
        return self._applied_offset

    @property
    def open_minute(self) -> int | None:
        """The latest event-time minute seen, still open; None before any record."""
        return self._open_minute

    def take(self, chunk: Chunk) -> list[Rejected]:
        """Decode a chunk and buffer its events until their minute is closed."""
        known = bisect_left(chunk.offsets, self._next_offset)
        if known:
            chunk = Chunk(
                chunk.offsets[known:], chunk.values[known:], chunk.timestamps[known:]
            )
        if not len(chunk.offsets):
            return []
        events, rejected = self.intake.decode(chunk, self._floor)
        self._next_offset = int(chunk.offsets[-1]) + 1
        if events is not None:
            self._pending.append(self._date(events))
        elif not self._pending:
            self._applied_offset = self._next_offset
        return rejected

    @property
    def _floor(self) -> int:
        """The earliest minute in which another event can count."""
        return max(self._closed_minute + 1, self._open_minute or 0)

    def _date(self, events: EventColumns) -> EventColumns:
        """Let a late event count in the partition's open minute: minutes only rise."""
        minute = np.maximum.accumulate(np.maximum(events.minute, self._floor))
        self._open_minute = int(minute[-1])
        self._closed_minute = max(self._closed_minute, self._open_minute - 1)
        events.minute[:] = minute
        return events

    def close_idle(self, minute: int) -> None:
        """Close minutes up to ``minute``; the shell knows the partition is idle."""
        self._closed_minute = max(self._closed_minute, minute)

    def advance(self) -> list[Output]:
        """Apply the closed minutes; return facet sums for every facets partition."""
        if self._closed_minute == self._sent_minute:
            return []
        rows = FacetRows()
        if self._pending:
            events = EventColumns.concatenate(self._pending)
            count = int(np.searchsorted(events.minute, self._closed_minute, "right"))
            rest = events.select(slice(count, None))
            self._pending = [rest] if len(rest) else []
            self._apply_days(events.select(slice(0, count)), rows)
        first = self._pending[0].offset[0] if self._pending else self._next_offset
        self._applied_offset = int(first)
        self._sent_minute = self._closed_minute
        return facet_sums(
            rows,
            source_partition=self.partition,
            closed_minute=self._closed_minute,
            partitions=self._facet_partitions,
        )

    def _apply_days(self, events: EventColumns, out: FacetRows) -> None:
        """Apply events day by day; before each, forget what has been silent long."""
        while len(events):
            day = int(events.minute[0]) // MINUTES_PER_DAY
            events = self._forget_silent(day * MINUTES_PER_DAY, events)
            count = int(np.searchsorted(events.minute, (day + 1) * MINUTES_PER_DAY))
            self._apply(events.select(slice(0, count)), out)
            events = events.select(slice(count, None))

    def _forget_silent(self, minute: int, events: EventColumns) -> EventColumns:
        """Forget accounts and facets that were silent; give the events renumbered.

        What waiting events are about starts afresh, but keeps its row. ``minute`` is
        the first of the events' day. What is left then, or comes later, was used
        behind ``minute`` or less than `SILENT_MINUTES` before it: later in the day
        nothing can be found that was silent at its begin, so all rows are looked at
        once a day (and once after a restart).
        """
        if minute <= self._looked_at:
            return events
        self._looked_at = minute
        silent_before = minute - SILENT_MINUTES
        rows = self.accounts.rows[: len(self.accounts)]
        silent = (rows["version"] > 0) & (rows["last_minute"] < silent_before)
        silent &= (rows["templated"] == 0) | (
            rows["last_minute"] < silent_before - TEMPLATED_MINUTES
        )
        counts = self.directory.counts[: len(self.directory)]
        unused = counts["hour"] < silent_before // MINUTES_PER_HOUR
        unused &= counts["accounts"] > 0
        for mask, column, table in (
            (silent, "slot", self.accounts),
            (unused, "infrastructure", self.directory),
        ):
            if not mask.any():
                continue
            waiting = np.zeros(len(mask), bool)
            for part in (events, *self._pending):
                number = getattr(part, column)
                waiting[number[number >= 0]] = True
            table.clear(np.flatnonzero(mask & waiting))
            moved = np.append(table.forget(np.flatnonzero(mask & ~waiting)), -1)
            events, *self._pending = (
                replace(part, **{column: moved[getattr(part, column)]})
                for part in (events, *self._pending)
            )
        return events

    def _apply(self, events: EventColumns, out: FacetRows) -> None:
        """Apply events of one day to the rows of their accounts.

        A compiled loop takes account by account. Numpy takes column by column, so it
        gets copies of the rows that lie back to back: then a row is fetched from
        memory and put back once; ``slot`` is a number among these.
        """
        slots, place, order = group_by_number(events.slot, len(self.accounts))
        if loops():
            self._apply_to(self.accounts.rows, None, events, order, out)
        else:
            rows = take_rows(self.accounts.rows, slots)
            self._apply_to(rows, slots, replace(events, slot=place), order, out)
            put_rows(self.accounts.rows, slots, rows)
        self.accounts.touch(slots)

    def _apply_to(
        self,
        rows: npt.NDArray[Any],
        slots: npt.NDArray[np.int64] | None,
        events: EventColumns,
        order: npt.NDArray[np.int64],
        out: FacetRows,
    ) -> None:
        out.add_traffic(events.minute, events.model, self.intake.model_hashes)
        begin_rows(rows, events)
        if events.refused.any():
            # A request refused by our own action is never evidence: no feedback loop.
            refused = events.slot[events.refused]
            np.add.at(rows["refused"], refused, np.uint32(1))
            order = order[~events.refused[order]]
        self._mark_shared(rows, events)
        place = np.full(len(events), -1)
        place[order] = np.arange(len(order))
        events = events.select(order)
        if len(events):
            _tell_anew(rows, events)
        users = self._count_facets(rows, events, place[place >= 0], out)
        sharing = sharing_uses(rows, events, users)
        while len(events):
            now, looking = _until_look(rows, events)
            self._apply_round(rows, slots, events.select(now), sharing[now], out)
            scores = [
                round(100 * self._likeness.log_odds(account_features(row)))
                for row in plain_rows(take_rows(rows, looking))
            ]
            rows["likeness"][looking] = np.clip(scores, -30000, 30000)
            # What is known of an account travels with its next payment.
            rows["facets_sent"][looking, PAYMENT] = 0
            events, sharing = events.select(~now), sharing[~now]

    def _mark_shared(self, rows: npt.NDArray[Any], events: EventColumns) -> None:
        counted = np.flatnonzero(~events.refused)
        events.shared[counted] = self.shared_templates.mark(
            events.templates[counted],
            rows["owner"][events.slot[counted]],
            events.exact[counted],
        )

    def _apply_round(
        self,
        rows: npt.NDArray[Any],
        slots: npt.NDArray[np.int64] | None,
        events: EventColumns,
        sharing: npt.NDArray[np.bool_],
        out: FacetRows,
    ) -> None:
        likeness = rows["likeness"][events.slot]
        updated = update_rows(rows, events, self.intake.model_bucket)
        evidence = updated.passed.any(axis=1) | (likeness > LIKENESS_GATE)
        telling = np.logical_or(sharing, evidence[:, None])
        told: npt.NDArray[np.bool_] = np.any(telling, axis=1)
        if not told.any():
            return
        linked = first_uses(
            rows["facets_sent"],
            events.slot,
            np.where(telling, events.infrastructure, -1),
            self.directory.hashes,
            told,
        )
        out.add_members(
            events,
            updated,
            likeness,
            linked,
            rows=rows,
            ids=lambda places: self.accounts.texts.texts(
                places if slots is None else slots[places]
            ),
            directory=self.directory,
            models=self.intake.models,
        )

    def _count_facets(
        self,
        rows: npt.NDArray[Any],
        events: EventColumns,
        by_time: npt.NDArray[np.int64],
        out: FacetRows,
    ) -> npt.NDArray[np.int64]:
        """Count distinct accounts of infrastructure facets; send the shared ones.

        Gives (n, 4) how many accounts of this partition use each event's facets.
        """
        everyone = np.ones(len(events), bool)
        first = first_uses(
            rows["facets_seen"],
            events.slot,
            events.infrastructure,
            self.directory.hashes,
            everyone,
        )
        return out.add_sums(events, first, by_time, self.directory)

    def dirty_rows(self) -> DirtyRows:
        """Give changed rows of accounts, facets and templates, then the marker."""
        marker = _Marker(ROW_VERSION, self._applied_offset, self._sent_minute)
        if marker == self._flushed:
            return DirtyRows()
        self._flushed = marker
        ids, packed_rows = self.accounts.take_dirty()
        rows = DirtyRows(map(add, repeat(_ACCOUNT), ids), packed_rows)
        keys, packed_rows = self.directory.take_dirty()
        rows.extend(map(add, repeat(_FACET), keys), packed_rows)
        for page, packed in self.shared_templates.take_dirty():
            rows.append(_TEMPLATES + page.to_bytes(2, "little"), packed)
        rows.append(MARKER, msgspec.msgpack.encode(marker))
        return rows

    def restore(self, rows: Iterable[Row]) -> None:
        """Take changelog rows; a marker makes the rows before it valid."""
        for flush in self._restoring.add(rows):
            for part in flush.parts:
                self._set(part)
            marker = msgspec.msgpack.decode(flush.marker, type=_Marker)
            if marker.version != ROW_VERSION:
                raise StateError(
                    f"the changelog of accounts[{self.partition}] has layout version "
                    f"{marker.version}, this program {ROW_VERSION}; start with a new "
                    f"app_id"
                )
            self._flushed = marker
            self._next_offset = self._applied_offset = marker.applied_offset
            self._closed_minute = self._sent_minute = marker.closed_minute

    def _set(self, rows: RowBlock) -> None:
        keys, values = rows.keys, rows.values
        some = keys.begins_with(_ACCOUNT)
        self.accounts.restore(keys.select(some).cut(1), values.select(some))
        for kind in range(len(INFRASTRUCTURE_KINDS)):
            some = keys.begins_with(_FACET + bytes([kind]))
            self.directory.restore(kind, keys.select(some).cut(2), values.select(some))
        some = keys.begins_with(_TEMPLATES) & values.present
        for key, value in rows.select(some):
            page = int.from_bytes(key[1:], "little")
            self.shared_templates.restore(page, value or b"")

    def restored(self) -> None:
        """Drop rows behind the last marker: their flush was never completed."""
        self._restoring.drop()
        self.shared_templates.restored()


def _tell_anew(rows: npt.NDArray[Any], events: EventColumns) -> None:
    """Let accounts tell their infrastructure again: later stages forget it, too.

    What an account that was away used may be forgotten even here, so it is counted
    again.
    """
    places = events.slot[run_starts(events.slot)]
    day = int(events.minute[0]) // MINUTES_PER_DAY
    told = rows["hour"][places] // HOURS_PER_DAY
    stale = told // TELLING_DAYS != day // TELLING_DAYS
    rows["facets_sent"][places[stale]] = 0
    away_before = day * MINUTES_PER_DAY - SILENT_MINUTES
    away = rows["last_minute"][places] < away_before
    rows["facets_seen"][places[away]] = 0


def _until_look(
    rows: npt.NDArray[Any], events: EventColumns
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Select events up to the end of each account's minute of its next look.

    Returns the selection, and the accounts whose look follows it. Accounts are
    independent of each other, so some may be ahead of others in time.
    """
    starts = run_starts(events.slot)
    places, lengths = events.slot[starts], np.diff(np.append(starts, len(events)))
    before = rows["events"][places].astype(np.int64)
    look = LOOKS[np.searchsorted(LOOKS, before, "right")]
    crossing = before + lengths >= look
    at = starts[crossing] + (look - before - 1)[crossing]
    last_minute = np.full(len(places), np.iinfo(np.int64).max)
    last_minute[crossing] = events.minute[at]
    now = events.minute <= np.repeat(last_minute, lengths)
    return now, places[crossing]
