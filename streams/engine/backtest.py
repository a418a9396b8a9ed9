"""What another policy would have done: one history, two policies, compared.

A policy matters to the last stage only, so accounts and facets are computed once, and
their links are given to two campaigns stages side by side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from streams.contracts import WriterSchemas, decode_chunk
from streams.contracts.records import Action, Alert, Rung, decode_record
from streams.contracts.time_units import MS_PER_HOUR
from streams.engine.replay import Pipeline, ScheduledEntry, history_batches
from streams.engine.stage import Chunk, DirtyRows, Output, Rejected, Row, Stage
from streams.policy.ladder import RUNGS

__all__ = ["Backtest", "Change", "RungCount", "Side", "backtest"]

_LINKS: Final = "llm.links"
_NOTHING: Final = -1

ChangeKind: TypeAlias = Literal[
    "gains", "loses", "harder", "milder", "enforced", "shadow"
]


class Side(msgspec.Struct, frozen=True):
    """What one policy did to one subject: the hardest rungs, at all and enforced."""

    rung: Rung | None = None
    enforced: Rung | None = None


class Change(msgspec.Struct, frozen=True):
    """A subject that the policies treat differently.

    ``kind``: it gains or loses its only action, its hardest rung is a harder or milder
    one, or the hardest rung that is to be enforced is harder (``enforced``) or milder
    (``shadow``).
    """

    subject: str
    kind: ChangeKind
    before: Side
    after: Side
    campaign_id: str


class RungCount(msgspec.Struct, frozen=True):
    """Pairs (before, after) for one rung.

    ``subjects`` whose hardest rung it is, those whose hardest enforced rung it is, and
    the ``hours`` that subjects spent on it.
    """

    rung: Rung
    subjects: tuple[int, int]
    enforced: tuple[int, int]
    hours: tuple[float, float]


class Backtest(msgspec.Struct, frozen=True):
    """Both policies over one history; ``changes`` in the order of subjects."""

    events: int
    refused: int
    campaigns: tuple[int, int]
    rungs: tuple[RungCount, ...]
    changes: tuple[Change, ...]


class _Ledger:
    """What one policy did."""

    def __init__(self) -> None:
        self.hardest: dict[str, int] = {}
        self.enforced: dict[str, int] = {}
        self.campaign_of: dict[str, str] = {}
        self.campaigns: set[str] = set()
        self._standing: dict[str, Action] = {}
        self._milliseconds: defaultdict[str, int] = defaultdict(int)

    def take(self, output: Output) -> None:
        if output.topic == "llm.alerts" and output.value is not None:
            alert = decode_record(Alert, output.value)
            if alert.kind == "campaign_found":
                self.campaigns.add(alert.campaign_id)
        elif output.topic == "llm.actions":
            self._take_action(output)

    def _take_action(self, output: Output) -> None:
        subject = (output.key or b"").decode()
        before = self._standing.pop(subject, None)
        if output.value is None:
            self._end(before, output.timestamp)
            return
        action = decode_record(Action, output.value)
        self._end(before, action.issued_at)
        self._standing[subject] = action
        rung = RUNGS.index(action.rung)
        self.hardest[subject] = max(self.hardest.get(subject, _NOTHING), rung)
        self.campaign_of[subject] = action.campaign_id
        if action.mode == "enforce":
            self.enforced[subject] = max(self.enforced.get(subject, _NOTHING), rung)

    def _end(self, action: Action | None, time: int) -> None:
        if action is not None:
            until = min(time, action.expires_at)
            self._milliseconds[action.rung] += max(until - action.issued_at, 0)

    def hours(self, rung: Rung, end: int) -> float:
        """Hours on a rung, counting what still stands up to the end of history."""
        open_ = sum(
            max(min(end, each.expires_at) - each.issued_at, 0)
            for each in self._standing.values()
            if each.rung == rung
        )
        return round((self._milliseconds[rung] + open_) / MS_PER_HOUR, 3)

    def side(self, subject: str) -> Side:
        return Side(
            _rung(self.hardest.get(subject, _NOTHING)),
            _rung(self.enforced.get(subject, _NOTHING)),
        )


def _rung(place: int) -> Rung | None:
    return RUNGS[place] if place >= 0 else None


class _SideBySide:
    """Two campaigns stages that are given the same; the first one's outputs leave."""

    def __init__(self, first: Stage, second: Stage, ledger: _Ledger) -> None:
        self._first = first
        self._second = second
        self._ledger = ledger

    @property
    def applied_offset(self) -> int:
        return self._first.applied_offset

    @property
    def open_minute(self) -> int | None:
        return self._first.open_minute

    def take(self, chunk: Chunk) -> list[Rejected]:
        self._second.take(chunk)
        return self._first.take(chunk)

    def close_idle(self, minute: int) -> None:
        self._second.close_idle(minute)
        self._first.close_idle(minute)

    def advance(self) -> list[Output]:
        for output in self._second.advance():
            self._ledger.take(output)
        return self._first.advance()

    def dirty_rows(self) -> DirtyRows:
        return self._first.dirty_rows()

    def restore(self, rows: Iterable[Row]) -> None:
        self._first.restore(rows)

    def restored(self) -> None:
        self._first.restored()


class _Batch(NamedTuple):
    """Events of the period, and how many were ``read`` to find them."""

    read: int
    records: list[tuple[bytes, int | None]]
    latest: int


def backtest(
    history: Iterable[tuple[bytes, int | None]],
    present: Pipeline,
    changed: Pipeline,
    *,
    entries: Iterable[ScheduledEntry] = (),
    since: int = 0,
    writers: WriterSchemas | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Backtest:
    """Run RequestEvents through two pipelines that differ in their policy; compare.

    ``history`` has each value with its Kafka timestamp, or None for all of a file. Only
    the last stage of ``changed`` runs. ``entries`` are operators' entries, which count
    under both policies; entries of policies must not be among them. Events from before
    ``since`` (ms since the epoch) are left out. ``writers`` are those of the pipelines.
    ``progress`` is told how many more events are done.
    """
    before, after = _Ledger(), _Ledger()
    pairs = zip(present.stages[_LINKS], changed.stages[_LINKS], strict=True)
    present.stages[_LINKS] = [_SideBySide(*pair, after) for pair in pairs]
    present.schedule(entries)
    events = latest = 0
    for batch in _batches(history, since, writers):
        latest = max(latest, batch.latest)
        events += len(batch.records)
        if batch.records:
            present.feed_history(batch.records)
        for output in present.flush():
            before.take(output)
        progress(batch.read)
    for output in present.close():
        before.take(output)
    return Backtest(
        events=events - len(present.rejected),
        refused=len(present.rejected),
        campaigns=(len(before.campaigns), len(after.campaigns)),
        rungs=_rungs(before, after, latest),
        changes=tuple(_changes(before, after)),
    )


def _batches(
    history: Iterable[tuple[bytes, int | None]],
    since: int,
    writers: WriterSchemas | None,
) -> Iterator[_Batch]:
    for read in history_batches(history):
        values = [value for value, _ in read]
        decoded = decode_chunk("RequestEvent", values, writers=writers)
        times = decoded.frame["occurred_at"].to_list()
        early = {
            place
            for place, time in zip(decoded.kept.tolist(), times, strict=True)
            if time < since
        }
        kept = [each for place, each in enumerate(read) if place not in early]
        yield _Batch(len(read), kept, max(times, default=0))


def _rungs(before: _Ledger, after: _Ledger, end: int) -> tuple[RungCount, ...]:
    sides = (before, after)
    hardest = [Counter(side.hardest.values()) for side in sides]
    enforced = [Counter(side.enforced.values()) for side in sides]
    counts = (
        RungCount(
            rung,
            (hardest[0][place], hardest[1][place]),
            (enforced[0][place], enforced[1][place]),
            (before.hours(rung, end), after.hours(rung, end)),
        )
        for place, rung in enumerate(RUNGS)
    )
    return tuple(each for each in counts if any(each.subjects) or any(each.hours))


def _changes(before: _Ledger, after: _Ledger) -> Iterator[Change]:
    for subject in sorted(before.hardest.keys() | after.hardest.keys()):
        pairs = [
            (ledger.hardest.get(subject, _NOTHING), ledger.enforced.get(subject, -1))
            for ledger in (before, after)
        ]
        kind = _kind(*pairs)
        if kind is not None:
            campaigns = after.campaign_of | before.campaign_of
            sides = before.side(subject), after.side(subject)
            yield Change(subject, kind, *sides, campaigns[subject])


def _kind(before: tuple[int, int], after: tuple[int, int]) -> ChangeKind | None:
    if before == after:
        return None
    if before[0] < 0:
        return "gains"
    if after[0] < 0:
        return "loses"
    if before[0] != after[0]:
        return "harder" if after[0] > before[0] else "milder"
    return "enforced" if after[1] > before[1] else "shadow"
