"""Compute decisions again from the log of requests, and compare them bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from streams.contracts import decode
from streams.contracts.records import ControlEntry, Decision, decode_record
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.replay import Pipeline, ScheduledEntry, flushes
from streams.errors import ContractError, NotReproducible
from streams.policy.control_entries import REFUSED, is_closing

__all__ = ["Difference", "Recomputation", "Trail", "recompute", "told_schedule"]

_ACTIONS: Final = "llm.actions"
_DECISIONS: Final = "llm.decisions"
_CONTROL: Final = b"control:"
_BEFORE_ALL: Final = -1  # the minute of an entry that came before any was closed
_RECORDS: Final = {_ACTIONS: "Action", _DECISIONS: "Decision"}


class Trail(NamedTuple):
    """Logged records that must come about again, values as they lie on the topics.

    ``decisions`` are all those of the ``keys``, in log order, up to the event time
    ``until`` (ms); ``action`` is None when llm.actions does not have it any more.
    """

    keys: frozenset[bytes]
    decisions: Sequence[bytes]
    action: bytes | None
    until: int


class Difference(NamedTuple):
    """The first field that differs; None stands for a record that is not there."""

    record: str
    field: str
    logged: Any
    computed: Any


class Recomputation(NamedTuple):
    """How much was read and compared, and the first difference, if there is any."""

    events: int
    decisions: int
    actions: int
    difference: Difference | None


def recompute(
    history: Iterable[tuple[bytes, int | None]],
    pipeline: Pipeline,
    trail: Trail,
    *,
    entries: Iterable[ScheduledEntry] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Recomputation:
    """Run the log through a fresh pipeline until the trail's end; compare.

    ``history`` has each RequestEvent with its Kafka timestamp, None for all of a file.
    ``progress`` is told how many more events are done.
    """
    pipeline.schedule(entries)
    decisions: list[bytes] = []
    actions: list[bytes] = []
    events = 0
    for count, outputs in flushes(history, pipeline):
        events += count
        progress(count)
        beyond = False
        for output in outputs:
            key, value = output.key or b"", output.value
            if output.topic not in _RECORDS or key.startswith(_CONTROL):
                continue
            if output.timestamp > trail.until:
                beyond = True
            elif key in trail.keys and value is not None:
                (actions if output.topic == _ACTIONS else decisions).append(value)
        if beyond:
            break
    difference = _first_difference(_once(trail.decisions), _once(decisions), _DECISIONS)
    if difference is None and trail.action is not None:
        difference = _action_difference(trail.action, actions)
    compared = int(trail.action is not None)
    return Recomputation(events, len(_once(trail.decisions)), compared, difference)


def _once(values: Sequence[bytes]) -> list[bytes]:
    """Drop repeats: a worker that began anew repeats what it had published."""
    return list(dict.fromkeys(values))


def _first_difference(
    logged: Sequence[bytes], computed: Sequence[bytes], topic: str
) -> Difference | None:
    for place in range(max(len(logged), len(computed))):
        one = logged[place] if place < len(logged) else None
        other = computed[place] if place < len(computed) else None
        if one != other:
            return _difference(one, other, topic)
    return None


def _action_difference(logged: bytes, computed: Sequence[bytes]) -> Difference | None:
    if logged in computed:
        return None
    sequence = _plain(logged, _ACTIONS).get("sequence")
    same = [v for v in computed if _plain(v, _ACTIONS).get("sequence") == sequence]
    other = next(reversed(same or list(computed)), None)
    return _difference(logged, other, _ACTIONS)


def _difference(logged: bytes | None, computed: bytes | None, topic: str) -> Difference:
    one, other = _plain(logged, topic), _plain(computed, topic)
    named = one or other
    identity = named.get("decision_id") or named.get("action_id") or "unreadable"
    record = f"{_RECORDS[topic]} {identity}"
    if logged is None or computed is None:
        return Difference(
            record,
            "(the whole record)",
            None if logged is None else "is there",
            None if computed is None else "is there",
        )
    # The id is a hash of all other fields: what it was made of comes first.
    fields = sorted(one.keys() | other.keys(), key=lambda name: name == "decision_id")
    for name in fields:
        if one.get(name) != other.get(name):
            return Difference(record, name, one.get(name), other.get(name))
    return Difference(record, "(bytes)", logged.hex(), computed.hex())


def _plain(value: bytes | None, topic: str) -> dict[str, Any]:
    try:
        return {} if value is None else decode(_RECORDS[topic], value)
    except ContractError:
        return {}


def told_schedule(
    records: Iterable[tuple[str, bytes | None]], applied: Iterable[Decision]
) -> list[ScheduledEntry]:
    """Give each record of llm.control the minute after which it took effect.

    ``records`` are entry ids with values (None: a tombstone) in the order of the log,
    ``applied`` the decisions that say when. Entries that the workers have not read yet
    are left out. Raises `NotReproducible` when an entry that took effect is gone.
    """
    told: dict[str, list[Decision]] = {}
    for decision in {each.decision_id: each for each in applied}.values():
        told.setdefault(decision.entry_id or "", []).append(decision)
    standing: set[str] = set()
    schedule: list[ScheduledEntry] = []
    for entry_id, value in records:
        entry = _entry(value)
        takes_back = value is None or (entry is not None and is_closing(entry))
        if (takes_back and entry_id not in standing) or (value and entry is None):
            continue  # it changes nothing, or goes to the dead letters
        waiting = told.get(entry_id)
        if not waiting:
            continue
        decision = waiting.pop(0)
        if takes_back:
            standing.discard(entry_id)
        elif not decision.reason.startswith(REFUSED):
            standing.add(entry_id)
        minute = decision.occurred_at // MS_PER_MINUTE
        # Before any minute was closed, the entry's own time is told instead.
        early = (
            entry is not None
            and minute == entry.created_at // MS_PER_MINUTE
            and all(one.after == _BEFORE_ALL for one in schedule)
        )
        schedule.append(
            ScheduledEntry(_BEFORE_ALL if early else minute, entry_id, value)
        )
    lost = sorted(entry_id for entry_id, waiting in told.items() if waiting)
    if lost:
        raise NotReproducible(
            f"entry {lost[0]} took effect, and llm.control has another one of that id "
            "by now: Kafka compacts that topic"
        )
    return schedule


def _entry(value: bytes | None) -> ControlEntry | None:
    try:
        return None if value is None else decode_record(ControlEntry, value)
    except ContractError:
        return None
