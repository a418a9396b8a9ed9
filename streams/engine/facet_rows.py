"""Rows that the accounts stage sends to the facets stage, collected as columns.

Member rows say: in this minute, this account used this facet so often, with these
fillings, and this is what its own evidence amounts to so far. Sum rows say how much
traffic and how many accounts a shared infrastructure facet has in this partition, and
how many events each minute had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.column_batch import pack_columns
from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.contracts.time_units import HOURS_PER_DAY, MINUTES_PER_HOUR, MS_PER_MINUTE
from streams.engine.stage import Output
from streams.features.account_row import INFRASTRUCTURE_KINDS, TEMPLATE_KINDS, TRAFFIC
from streams.features.account_update import Updated, group_by_number
from streams.features.event_columns import EventColumns
from streams.features.facet_directory import FacetDirectory
from streams.features.segments import run_starts, running
from streams.features.text_arena import TextArena
from streams.features.whole_rows import put_rows, take_rows

__all__ = ["MAX_FILLINGS", "FacetRows", "facet_sums"]

MAX_FILLINGS: Final = 8
"""Fillings that one row carries: enough to tell a split list from a shared one."""

_PART_BYTES: Final = 900_000
"""Most bytes of columns in a part; Kafka takes records of 1 MB by default."""

_ROW_BYTES: Final = 192
"""Bytes of the numbers of a member row with all its fillings and of a sum row."""

_TEXT_BYTES: Final = 5
"""Bytes before a text in MessagePack, at most."""

_HEAD, _TAIL, _BAND0, _BAND1 = 0, 1, 2, 3
_SHARED_BY: Final = 2
_TEXTS: Final = ("account", "name", "model")

Column = npt.NDArray[Any] | list[str]


class FacetRows:
    """Member and sum rows of one `advance`, as parts of columns."""

    def __init__(self) -> None:
        self._members: list[dict[str, npt.NDArray[Any]]] = []
        self._texts: dict[str, dict[str, int]] = {name: {} for name in _TEXTS}
        self._sums: list[dict[str, npt.NDArray[Any]]] = []

    def add_members(
        self,
        events: EventColumns,
        updated: Updated,
        likeness: npt.NDArray[np.int16],
        linked: npt.NDArray[np.bool_],
        *,
        rows: npt.NDArray[Any],
        ids: Callable[[npt.NDArray[np.int64]], list[str]],
        directory: FacetDirectory,
        models: list[str],
    ) -> None:
        """Add a row per (minute, account, facet, model) of the events that passed.

        ``rows`` are those that ``events.slot`` has the places of, and ``ids`` looks up
        their accounts. ``linked`` (n, 4) marks the infrastructure facets that
        evidence-bearing events use for the first time. Head and tail say the same of a
        stable template; minhash bands travel only where both of them failed.
        """
        kinds = updated.passed.copy()
        wrapped = kinds[:, _HEAD] | kinds[:, _TAIL]
        kinds[:, _BAND0] &= ~wrapped
        kinds[:, _BAND1] &= ~wrapped
        at_template, template = np.nonzero(kinds)
        at_link, link = np.nonzero(linked)
        number = events.infrastructure[at_link, link]
        at = np.concatenate([at_template, at_link])
        facet = np.concatenate(
            [events.templates[at_template, template], directory.hashes[number]]
        )
        name = np.concatenate([np.full(len(at_template), -1), number])
        order = np.lexsort((at, events.model[at], facet, events.slot[at]))
        order = order[np.argsort(events.minute[at[order]], kind="stable")]
        at, facet, name = at[order], facet[order], name[order]
        kind = np.concatenate([template, link + len(TEMPLATE_KINDS)])[order]
        starts = run_starts(
            events.minute[at], events.slot[at], facet, kind, events.model[at]
        )
        counts = np.diff(np.append(starts, len(at)))
        first, last = at[starts], at[starts + counts - 1]
        kept = np.minimum(counts, MAX_FILLINGS)
        kept[kind[starts] >= len(TEMPLATE_KINDS)] = 0
        within = np.arange(len(at)) - np.repeat(starts, counts)
        slots = events.slot[first]
        own = directory.hashes_of(events.infrastructure[last])
        self._members.append(
            {
                "minute": events.minute[first].astype("<i4"),
                "account": self._text("account", slots, ids),
                "owner": rows["owner"][slots],
                "created": rows["created_minute"][slots],
                "kind": kind[starts].astype("u1"),
                "facet": facet[starts],
                "name": self._text(
                    "name", name[starts], partial(_named, directory.texts)
                ),
                "model": self._text(
                    "model", events.model[first], lambda used: [models[n] for n in used]
                ),
                "count": counts.astype("<u4"),
                "events": updated.events[last].astype("<u4"),
                "templated": updated.templated[last].astype("<u4"),
                "likeness": likeness[last],
                "markers": events.markers[last],
                **{name: own[:, n] for n, name in enumerate(INFRASTRUCTURE_KINDS)},
                "fillings": kept.astype("u1"),
                "exact": events.exact[at][within < np.repeat(kept, counts)],
            }
        )

    def add_traffic(
        self,
        minutes: npt.NDArray[np.int64],
        models: npt.NDArray[np.int64],
        hashes: npt.NDArray[np.uint64],
    ) -> None:
        """Add a sum row per minute and model, with the number of all its events.

        Its facet is the model's hash, so models are spread over the partitions.
        """
        key, events = np.unique(minutes * len(hashes) + models, return_counts=True)
        minute, model = np.divmod(key, max(len(hashes), 1))
        nothing = np.zeros(len(minute), "<u4")
        self._sums.append(
            {
                "sum_minute": minute.astype("<i4"),
                "sum_kind": np.full(len(minute), TRAFFIC, "u1"),
                "sum_facet": hashes[model],
                "sum_events": events.astype("<u4"),
                "sum_accounts": nothing,
            }
        )

    def add_sums(
        self,
        events: EventColumns,
        first: npt.NDArray[np.bool_],
        by_time: npt.NDArray[np.int64],
        directory: FacetDirectory,
    ) -> npt.NDArray[np.int64]:
        """Add rows of shared infrastructure facets: new accounts, and traffic.

        ``first`` (n, 4) marks events that are their account's first with the facet. A
        shared facet gets a row in every minute with a new account, and in the first
        minute of each hour of use; the row carries what came since the row before.
        ``by_time`` has the places of the events in the order of their minutes.

        Gives (n, 4) how many accounts each event's facets had by the end of its minute;
        0 for no facet.
        """
        accounts_at = np.zeros(events.infrastructure.shape, np.int64)
        infrastructure = events.infrastructure.take(by_time, axis=0)
        at, kind = np.nonzero(infrastructure >= 0)
        number = infrastructure[at, kind]
        first = first.take(by_time, axis=0)[at, kind]
        order = group_by_number(number, len(directory))[2]
        number, minute = number[order], events.minute[by_time[at[order]]]
        starts = run_starts(number, minute)
        if not len(starts):
            return accounts_at
        uses = np.diff(np.append(starts, len(number)))
        new = np.add.reduceat(first[order].astype(np.int64), starts)
        number, minute = number[starts], minute[starts]
        begin = run_starts(number)
        facets = number[begin]
        state = take_rows(directory.counts, facets)
        accounts = running(new, begin, state["accounts"])
        accounts_at[by_time[at[order]], kind[order]] = np.repeat(accounts, uses)
        shared = accounts >= _SHARED_BY
        traffic = running(np.where(shared, uses, 0), begin, state["events"])
        hour = minute // MINUTES_PER_HOUR
        hour_before = np.append(-1, hour[:-1])
        hour_before[begin] = state["hour"]
        told = np.append(False, shared[:-1])
        told[begin] = state["sent"] > 0
        sent = np.flatnonzero(shared & (~told | (new > 0) | (hour != hour_before)))
        self._sums.append(
            {
                "sum_minute": minute[sent].astype("<i4"),
                "sum_kind": directory.kinds[number[sent]] + len(TEMPLATE_KINDS),
                "sum_facet": directory.hashes[number[sent]],
                "sum_events": _since(traffic, number, sent, 0 * state["events"], begin),
                "sum_accounts": _since(accounts, number, sent, state["sent"], begin),
            }
        )
        ends = np.append(begin[1:], len(number)) - 1
        last = np.searchsorted(sent, ends, "right") - 1
        any_sent = (last >= 0) & (sent[last] >= begin) if len(sent) else last >= 0
        newest = sent[last] if len(sent) else last
        state["accounts"] = accounts[ends]
        # An unshared facet only tells the day of its last use: its row stays clean.
        days = run_starts(number, hour // HOURS_PER_DAY)
        opening = days[np.searchsorted(days, ends, "right") - 1]
        first_of_day = hour[opening]
        same_day = first_of_day // HOURS_PER_DAY == state["hour"] // HOURS_PER_DAY
        used = np.where(
            shared[ends], hour[ends], np.where(same_day, state["hour"], first_of_day)
        )
        later = used != state["hour"]
        state["hour"] = used
        state["events"] = traffic[ends]
        state["events"][any_sent] -= traffic[newest[any_sent]].astype(np.uint32)
        state["sent"][any_sent] = accounts[newest[any_sent]]
        put_rows(directory.counts, facets, state)
        grown = np.add.reduceat(new, begin) > 0
        directory.touch(facets[grown | shared[ends] | later])
        return accounts_at

    def _text(
        self,
        column: str,
        numbers: npt.NDArray[np.int64],
        look_up: Callable[[npt.NDArray[np.int64]], list[str]],
    ) -> npt.NDArray[np.int64]:
        """Give the places of texts in the column's table, which grows as needed."""
        used, which = np.unique(numbers, return_inverse=True)
        table = self._texts[column]
        places = [table.setdefault(text, len(table)) for text in look_up(used)]
        return np.array(places, np.int64)[which]

    def by_partition(self, partitions: int) -> Iterator[list[dict[str, Column]]]:
        """Give the rows of each facets partition, in parts that fit a record each."""
        members, sums = _joined(self._members), _joined(self._sums)
        tables = {name: list(table) for name, table in self._texts.items()}
        longest = _longest_row(tables)
        for partition in range(partitions):
            mine = _where(members, "facet", partition, partitions)
            mine_sums = _where(sums, "sum_facet", partition, partitions)
            rows = max(len(mine), len(mine_sums), 1)
            size = rows  # as nearly always
            if rows * longest > _PART_BYTES:
                size = max(_PART_BYTES // _largest_row(members, mine, tables), 1)
            parts = []
            for start in range(0, rows, size):
                stop = start + size
                part = _take_members(members, mine[start:stop], tables)
                part.update({k: v[mine_sums[start:stop]] for k, v in sums.items()})
                parts.append(part)
            yield parts


def _since(
    running: npt.NDArray[np.int64],
    number: npt.NDArray[np.int64],
    sent: npt.NDArray[np.int64],
    base: npt.NDArray[Any],
    begin: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint32]:
    """Take what came since the facet's row before, or since ``base`` for its first."""
    if not len(sent):
        return np.zeros(0, np.uint32)
    before = np.append(0, running[sent[:-1]])
    opening = np.append(True, number[sent[1:]] != number[sent[:-1]])
    run = np.searchsorted(begin, sent, "right") - 1
    before = np.where(opening, base[run], before)
    since: npt.NDArray[np.uint32] = (running[sent] - before).astype(np.uint32)
    return since


def _named(texts: TextArena, numbers: npt.NDArray[np.int64]) -> list[str]:
    """Look names up by number; -1 gives the empty text."""
    return [texts.text(number) if number >= 0 else "" for number in numbers.tolist()]


def _joined(parts: list[dict[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    if not parts:
        return {}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _where(
    columns: dict[str, npt.NDArray[Any]], facet: str, partition: int, partitions: int
) -> npt.NDArray[np.int64]:
    if not columns:
        return np.zeros(0, np.int64)
    mine: npt.NDArray[np.int64] = np.flatnonzero(
        columns[facet] % np.uint64(partitions) == partition
    )
    return mine


def _longest_row(tables: dict[str, list[str]]) -> int:
    """Give the bytes that a row has at most, with the longest of all texts."""
    size = _ROW_BYTES
    for table in tables.values():
        texts = (text.encode() for text in table)
        size += _TEXT_BYTES + max(map(len, texts), default=0)
    return size


def _largest_row(
    members: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    tables: dict[str, list[str]],
) -> int:
    """Give the bytes that a row has at most: ids may be long."""
    size = _ROW_BYTES
    if len(rows):
        for name, table in tables.items():
            used = np.unique(members[name][rows]).tolist()
            size += _TEXT_BYTES + max(len(table[number].encode()) for number in used)
    return size


def _take_members(
    members: dict[str, npt.NDArray[Any]],
    rows: npt.NDArray[np.int64],
    tables: dict[str, list[str]],
) -> dict[str, Column]:
    """Take member rows; text columns become a table of texts and numbers into it."""
    if not len(rows):
        return {}
    ends = np.cumsum(members["fillings"], dtype=np.int64)
    counts = members["fillings"][rows].astype(np.int64)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    exact = np.repeat(ends[rows] - counts, counts) + offsets
    part: dict[str, Column] = {}
    for name, column in members.items():
        if name == "exact":
            part[name] = column[exact]
        elif name in tables:
            used, which = np.unique(column[rows], return_inverse=True)
            texts = [tables[name][number] for number in used.tolist()]
            order = sorted(range(len(texts)), key=texts.__getitem__)
            rank = np.empty(len(order), "<u4")
            rank[order] = np.arange(len(order))
            part[name] = [texts[at] for at in order]
            part[f"{name}_number"] = rank[which]
        else:
            part[name] = column[rows]
    return part


def facet_sums(
    rows: FacetRows, *, source_partition: int, closed_minute: int, partitions: int
) -> list[Output]:
    """Make the FacetSums records: at least one for every facets partition.

    A partition without rows still gets a record, as that is how its minutes close.
    """
    outputs = []
    for partition, parts in enumerate(rows.by_partition(partitions)):
        for number, columns in enumerate(parts):
            batch = StageBatch(
                source_partition=source_partition,
                part=number,
                last=number == len(parts) - 1,
                closed_minute=closed_minute,
                payload=pack_columns(columns),
            )
            outputs.append(
                Output(
                    topic="llm.facets",
                    partition=partition,
                    key=str(partition).encode(),
                    value=encode_batch("FacetSums", batch),
                    timestamp=closed_minute * MS_PER_MINUTE,
                    event_id=f"{source_partition}-{partition}-{closed_minute}-{number}",
                    type="io.distillwatch.FacetSums",
                )
            )
    return outputs
