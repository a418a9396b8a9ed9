"""The facets stage: rolling state per fingerprint, pooled over all accounts.

One object per partition of llm.facets. It watches for templates that several owners
fill in differently, and for infrastructure that several evidence-bearing owners share,
and sends the memberships of such suspect facets on. A suspicion accuses nobody. What a
batch of minutes does to the state is told in `facet_batch`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import repeat
from operator import add
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from streams.contracts.time_units import MINUTES_PER_DAY
from streams.engine.batch_stage import BatchStage
from streams.engine.column_inbox import ColumnInbox
from streams.engine.facet_batch import FacetBatch
from streams.engine.facet_links import link_news
from streams.engine.facet_uses import FacetNews
from streams.engine.latest_rows import LatestRows
from streams.engine.link_news import LinkNews
from streams.engine.link_rows import member_links
from streams.engine.marked_rows import MARKER, MarkedRows
from streams.engine.minute_inbox import InboxState
from streams.engine.row_block import RowBlock
from streams.engine.stage import DirtyRows, Output, Row
from streams.features.account_row import TRAFFIC
from streams.features.facet_table import FacetTable
from streams.features.member_table import MemberTable
from streams.features.segments import run_starts

__all__ = ["MAX_MEMBERS", "FacetsStage"]

MAX_MEMBERS: Final = 4096
"""Members a facet remembers before it is suspect; once it is, they live in the
campaigns stage, so the bound costs nothing but the oldest accounts of a crowd."""

SILENT_DAYS: Final = 30
"""Days after which a facet, or an account's use of one, is forgotten."""

_FACET: Final = b"f"
_MEMBER: Final = b"m"
_HASH_BYTES: Final = 8


class FacetsStage(BatchStage):
    """Rolling state of the facets of one partition of llm.facets."""

    record = "FacetSums"

    def __init__(self, partition: int, *, request_partitions: int) -> None:
        super().__init__(partition, ColumnInbox(request_partitions))
        self.facets = FacetTable()
        self.members = MemberTable()
        self._forgotten = -1  # the minute before which nothing is left
        self._flushed: InboxState | None = None
        self._restoring = MarkedRows()
        self._restored_members = LatestRows()

    def _decode(self, payload: bytes) -> list[FacetNews]:
        return [FacetNews.read(payload)]

    def advance(self) -> list[Output]:
        """Apply the minutes that all sources have closed; tell of suspect facets."""
        closed, news = self._inbox.release()
        if closed == self._sent_minute:
            return []
        self._sent_minute = closed
        told = self._apply(FacetNews.join(news)) if news else LinkNews.nothing()
        return member_links(told, source_partition=self.partition, closed_minute=closed)

    def _apply(self, news: FacetNews) -> LinkNews:
        """Apply whole minutes, day by day."""
        traffic, news = _take_traffic(news)
        told = [traffic]
        while news:
            day = news.earliest // MINUTES_PER_DAY
            self._forget_silent((day - SILENT_DAYS) * MINUTES_PER_DAY)
            today, news = news.split((day + 1) * MINUTES_PER_DAY - 1)
            while today:
                batch = FacetBatch(self.facets, self.members, today)
                minute, crowded = batch.crowded(MAX_MEMBERS)
                if 0 <= minute < today.latest:
                    # Only a minute's end makes room: stop there, and begin again.
                    now, today = today.split(minute)
                    batch = FacetBatch(self.facets, self.members, now)
                else:
                    today = FacetNews.nothing()
                batch.count_all()
                batch.update_members()
                told.append(link_news(batch))
                batch.write()
                if len(crowded):
                    self._make_room(crowded)
        return LinkNews.join(told)

    def _forget_silent(self, minute: int) -> None:
        """Forget what was last used before ``minute``: facets, and uses of others.

        Called with the days of uses, in order. After the first call of a day, what is
        left or comes was used behind ``minute``: later ones would find nothing.
        """
        if minute <= self._forgotten:
            return
        self._forgotten = minute
        facets, members = self.facets, self.members
        silent = facets.rows["last"][: len(facets)] < minute
        members_silent = members.rows["last"][: len(members)] < minute
        gone = members_silent | silent[members.rows["facet"][: len(members)]]
        if gone.any():
            self._forget_members(np.flatnonzero(gone), spare=silent)
        if silent.any():
            members.renumber(facets.forget(np.flatnonzero(silent)))

    def _make_room(self, crowded: npt.NDArray[np.int64]) -> None:
        """Keep three quarters of a crowd: those seen last, ties by account."""
        gone = []
        for facet in crowded.tolist():
            wanted = np.zeros(len(self.facets), bool)
            wanted[facet] = True
            places = self.members.of_facets(wanted)
            last = self.members.rows["last"][places].tolist()
            oldest = sorted(
                zip(last, self.members.texts(places), places.tolist(), strict=True)
            )
            room = len(oldest) - MAX_MEMBERS + MAX_MEMBERS // 4
            gone += [place for _, _, place in oldest[:room]]
        self._forget_members(np.array(gone, np.int64))

    def _forget_members(
        self,
        places: npt.NDArray[np.int64],
        spare: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Forget members, and count those that are left; ``spare`` need no count."""
        facets = self.facets
        fewer = np.zeros(len(facets), bool)
        fewer[self.members.rows["facet"][places]] = True
        self.members.forget(places, facets.rows["hash"])
        if spare is not None:
            fewer &= ~spare
        left = self.members.rows[self.members.of_facets(fewer)]
        facets.recount(np.flatnonzero(fewer), left["facet"], left["owner"])

    def dirty_rows(self) -> DirtyRows:
        """Give changed facets and memberships, then the marker."""
        state = self._inbox.state()
        if state == self._flushed:
            return DirtyRows()
        self._flushed = state
        hashes = self.facets.rows["hash"]
        keys, members = self.members.take_dirty(hashes)
        rows = DirtyRows(map(add, repeat(_MEMBER), keys), members)
        for facet, packed in self.facets.take_dirty():
            rows.append(_FACET + facet.to_bytes(_HASH_BYTES, "little"), packed)
        rows.append(MARKER, msgspec.msgpack.encode(state))
        return rows

    def restore(self, rows: Iterable[Row]) -> None:
        """Take changelog rows; a marker makes the rows before it valid."""
        for flush in self._restoring.add(rows):
            for part in flush.parts:
                self._set(part)
            state = msgspec.msgpack.decode(flush.marker, type=InboxState)
            self._inbox.restore(state)
            self._sent_minute = state.applied_minute
            self._flushed = state

    def _set(self, rows: RowBlock) -> None:
        of_facets = rows.select(rows.keys.begins_with(_FACET))
        self.facets.restore(
            (int.from_bytes(key[1:], "little"), value) for key, value in of_facets
        )
        self._restored_members.add(rows.select(rows.keys.begins_with(_MEMBER)))

    def restored(self) -> None:
        """Drop rows behind the last marker, and set the members.

        A compacted log may tell of a member before its facet, so they wait until here.
        """
        self._restoring.drop()
        for part in self._restored_members.take():
            keys = part.keys.cut(len(_MEMBER))
            hashes = keys.words()[keys.at].astype(np.uint64)
            numbers = self.facets.find(hashes)
            known = np.flatnonzero(part.values.present & (numbers >= 0))
            self.members.restore(
                numbers[known],
                keys.cut(_HASH_BYTES).select(known),
                part.values.select(known),
            )


def _take_traffic(news: FacetNews) -> tuple[LinkNews, FacetNews]:
    """Add up the traffic of each minute and model, and take it out of the sums."""
    nothing = LinkNews.nothing()
    traffic = news.sums["sum_kind"] == TRAFFIC
    if not traffic.any():
        return nothing, news
    minute, model = news.sums["sum_minute"][traffic], news.sums["sum_facet"][traffic]
    order = np.lexsort((model, minute))
    minute, model = minute[order], model[order]
    begin = run_starts(minute, model)
    events = np.add.reduceat(news.sums["sum_events"][traffic][order], begin, dtype="i8")
    told = {
        "minute": minute[begin],
        "model": model[begin],
        "events": events.astype("<u4"),
    }
    sums = {name: column[~traffic] for name, column in news.sums.items()}
    return (
        nothing._replace(tables=nothing.tables | {"traffic": told}),
        replace(news, sums=sums),
    )
