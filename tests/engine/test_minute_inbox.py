"""Rows leave the inbox once, sorted, and only when all sources closed their minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from event_streams import lists_of
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.stage_batch import StageBatch
from streams.engine.minute_inbox import MinuteInbox, Row
from streams.errors import InvalidRecord

_SOURCES = 3


class Part(NamedTuple):
    """A record of the log; the row (minute, source, n) is source's n-th of it."""

    batch: StageBatch
    rows: list[Row]


def _batch(source: int, closed: int, part: int = 0, *, last: bool = True) -> StageBatch:
    return StageBatch(source, part, last, closed, b"")


class Made(NamedTuple):
    """One thing a source does: close minutes with rows, in parts; or be cut off."""

    source: int
    minutes: int
    rows: int
    parts: int
    trouble: str


_TROUBLE = ("none", "none", "cut off", "repeat", "from the start")
_MADE = st.builds(
    Made,
    st.integers(0, _SOURCES - 1),
    st.integers(0, 4),
    st.integers(0, 5),
    st.integers(1, 3),
    st.sampled_from(_TROUBLE),
)


def _log(plan: Sequence[Made]) -> tuple[list[Part], list[Row], int]:
    """Make a log with what crashed sources leave in it, its true rows, the minute."""
    log: list[Part] = []
    closed = [-1] * _SOURCES
    all_rows: list[list[Row]] = [[] for _ in range(_SOURCES)]
    for made in plan:
        source = made.source
        before, closed[source] = closed[source], closed[source] + made.minutes
        rows: list[Row] = [
            (before + 1 + n % made.minutes, source, n)
            for n in range(made.rows if made.minutes else 0)
        ]
        all_rows[source] += rows
        sent = rows if made.trouble != "from the start" else all_rows[source]
        parts = [
            Part(
                _batch(source, closed[source], part, last=part == made.parts - 1),
                sent[part :: made.parts],
            )
            for part in range(made.parts)
        ]
        if made.trouble == "cut off":
            log += parts[:-1]
        log += parts * (2 if made.trouble == "repeat" else 1)
    minute = min(closed)
    true = sorted(row for rows in all_rows for row in rows if row[0] <= minute)
    return log, true, minute


@given(lists_of(_MADE, 25), st.sets(st.integers(0, 60)))
@settings(max_examples=150)
def test_rows_leave_once_in_order_of_minutes(
    plan: list[Made], releases: set[int]
) -> None:
    log, true, minute = _log(plan)
    inbox = MinuteInbox(_SOURCES)
    released: list[Row] = []
    last = -1
    for offset, part in enumerate(log):
        inbox.add(offset, part.batch, part.rows)
        if offset in releases or offset == len(log) - 1:
            now, rows = inbox.release()
            assert now >= last
            assert rows == sorted(rows)
            assert all(last < row[0] <= now for row in rows)
            released += rows
            last = now
    assert last == minute
    assert sorted(released) == true


@given(lists_of(_MADE, 20), lists_of(st.integers(0, 9), 12))
@settings(max_examples=150)
def test_a_restart_loses_nothing_and_repeats_nothing(
    plan: list[Made], lives: list[int]
) -> None:
    """Each life takes some records, releases, saves its state, and perhaps more."""
    log, true, minute = _log(plan)
    released: list[Row] = []
    state = MinuteInbox(_SOURCES).state()
    for life, count in enumerate([*lives, len(log)]):
        inbox = MinuteInbox(_SOURCES)
        inbox.restore(state)
        assert inbox.state() == state
        assert inbox.release()[1] == []
        begin = inbox.applied_offset
        stop = min(begin + count, len(log))
        for offset in range(begin, stop):
            inbox.add(offset, log[offset].batch, log[offset].rows)
        released += inbox.release()[1]
        state = inbox.state()
        if life % 2 and stop < len(log):  # not saved: the next life must find it anew
            inbox.add(stop, log[stop].batch, log[stop].rows)
            inbox.release()
    assert sorted(released) == true
    assert state.applied_minute == minute


@given(lists_of(_MADE, 20))
def test_applied_offset_never_passes_a_row_that_waits(plan: list[Made]) -> None:
    log, _, _ = _log(plan)
    inbox = MinuteInbox(_SOURCES)
    for offset, part in enumerate(log):
        inbox.add(offset, part.batch, part.rows)
        minute, _ = inbox.release()
        assert inbox.applied_offset <= inbox.next_offset == offset + 1
        for applied in log[: inbox.applied_offset]:
            assert all(row[0] <= minute for row in applied.rows)
            assert applied.batch.last or applied.batch.closed_minute <= minute


def test_a_new_first_part_replaces_an_unfinished_batch() -> None:
    inbox = MinuteInbox(1)
    inbox.add(0, _batch(0, 5, 0, last=False), [(3, "lost")])
    assert inbox.release() == (-1, [])
    assert inbox.applied_offset == 0
    inbox.add(1, _batch(0, 4, 0, last=False), [(3, "again")])
    inbox.add(2, _batch(0, 4, 1), [(4, "more")])
    assert inbox.release() == (4, [(3, "again"), (4, "more")])
    assert inbox.applied_offset == 0  # the cut-off batch says that minute 5 may come
    inbox.add(3, _batch(0, 5), [(5, "end")])
    assert inbox.release() == (5, [(5, "end")])
    assert inbox.applied_offset == 4


def test_one_source_holds_all_others_back() -> None:
    inbox = MinuteInbox(2)
    nothing_yet = inbox.open_minute
    assert nothing_yet is None
    inbox.add(0, _batch(0, 9), [(2, "a"), (9, "b")])
    assert inbox.open_minute == 10
    assert inbox.release() == (-1, [])
    inbox.add(1, _batch(1, 2), [])
    assert inbox.release() == (2, [(2, "a")])
    assert inbox.applied_offset == 0
    inbox.add(2, _batch(1, 9), [])
    assert inbox.release() == (9, [(9, "b")])
    assert inbox.applied_offset == 3


def test_a_refused_record_is_passed_when_nothing_before_it_waits() -> None:
    inbox = MinuteInbox(1)
    inbox.skip(0)
    assert (inbox.applied_offset, inbox.next_offset) == (1, 1)
    inbox.add(1, _batch(0, 1, last=False), [(1, "a")])
    inbox.skip(2)
    assert (inbox.applied_offset, inbox.next_offset) == (1, 3)


@pytest.mark.parametrize("source", [-1, 2])
def test_a_source_that_is_none_is_refused(source: int) -> None:
    inbox = MinuteInbox(2)
    with pytest.raises(InvalidRecord, match=f"source_partition {source} is none of"):
        inbox.add(0, _batch(source, 3), [])
    assert inbox.next_offset == 0
