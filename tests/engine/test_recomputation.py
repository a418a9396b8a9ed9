"""A decision comes about again, byte by byte; whatever was changed is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from streams.config import Config
from streams.contracts import Action, Decision, decode_record, encode_record
from streams.contracts.containers import iter_datums
from streams.contracts.records import ControlEntry
from streams.engine.recomputation import Trail, recompute, told_schedule
from streams.engine.replay import Pipeline, ScheduledEntry, replay
from streams.engine.stage import Output
from streams.errors import NotReproducible
from streams.policy.control_entries import (
    closing_entry,
    label_entry,
    mode_entry,
    policy_entry,
    release_entry,
)
from streams.scenarios.scenario import load
from streams.scenarios.simulate import simulate

SCENARIO = Path(__file__).parent.parent / "integration" / "pipeline.toml"
CONFIG = Config(mode="enforce")
MS = 60_000


class Live(NamedTuple):
    """A run without entries: its events, and what it published."""

    events: Path
    outputs: list[Output]

    def history(self) -> Iterator[tuple[bytes, int | None]]:
        return ((value, None) for value in iter_datums(self.events))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    folder = tmp_path_factory.mktemp("live")
    simulate(load(str(SCENARIO)), folder)
    events = folder / "events.avro"
    return Live(events, list(replay(iter_datums(events), Pipeline(CONFIG))))


def _trail(outputs: Sequence[Output], subject: str | None = None) -> Trail:
    """The life of a subject, by default that of the last action, up to its action."""
    actions = [one for one in outputs if one.topic == "llm.actions" and one.value]
    key = subject.encode() if subject else actions[-1].key or b""
    newest = [one for one in actions if one.key == key][-1]
    decisions = [
        one.value
        for one in outputs
        if one.topic == "llm.decisions"
        and one.key == key
        and one.value is not None
        and one.timestamp <= newest.timestamp
    ]
    return Trail(frozenset({key}), decisions, newest.value, newest.timestamp)


def _changed(value: bytes, kind: type[Any], **changes: Any) -> bytes:
    return encode_record(msgspec.structs.replace(decode_record(kind, value), **changes))


def test_every_decision_and_the_action_are_identical(live: Live) -> None:
    trail = _trail(live.outputs)
    done: list[int] = []
    result = recompute(live.history(), Pipeline(CONFIG), trail, progress=done.append)
    assert result.difference is None
    assert (result.decisions, result.actions) == (len(trail.decisions), 1)
    assert len(trail.decisions) > 2
    assert sum(done) == result.events > 0


def test_a_repeat_by_a_worker_that_began_anew_is_no_difference(live: Live) -> None:
    trail = _trail(live.outputs)
    twice = trail._replace(decisions=[*trail.decisions[:2], *trail.decisions])
    assert recompute(live.history(), Pipeline(CONFIG), twice).difference is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("e_value", 7.0), ("exchanges", 1), ("threshold", 1.0), ("reason", "because")],
)
def test_a_changed_decision_is_found_and_the_field_named(
    live: Live, field: str, value: object
) -> None:
    trail = _trail(live.outputs)
    first, *rest = trail.decisions
    forged = _changed(first, Decision, **{field: value})
    result = recompute(
        live.history(), Pipeline(CONFIG), trail._replace(decisions=[forged, *rest])
    )
    assert result.difference is not None
    assert (result.difference.field, result.difference.logged) == (field, value)
    identity = decode_record(Decision, first).decision_id
    assert result.difference.record == f"Decision {identity}"


@pytest.mark.parametrize("place", [0.1, 0.5, 0.99])
def test_a_changed_byte_of_the_action_is_found(live: Live, place: float) -> None:
    trail = _trail(live.outputs)
    value = bytearray(trail.action or b"")
    value[round(place * (len(value) - 1))] ^= 1
    forged = trail._replace(action=bytes(value))
    result = recompute(live.history(), Pipeline(CONFIG), forged)
    assert result.difference is not None
    assert result.difference.record.startswith("Action ")


def test_a_missing_and_an_invented_decision_are_found(live: Live) -> None:
    trail = _trail(live.outputs)
    missing = trail._replace(decisions=trail.decisions[:-1])
    result = recompute(live.history(), Pipeline(CONFIG), missing)
    assert result.difference is not None
    assert result.difference.logged is None
    invented = _changed(trail.decisions[-1], Decision, decision_id="f" * 24)
    more = trail._replace(decisions=[*trail.decisions, invented])
    result = recompute(live.history(), Pipeline(CONFIG), more)
    assert result.difference is not None
    assert result.difference.computed is None


def test_another_mode_is_found_as_that(live: Live) -> None:
    result = recompute(live.history(), Pipeline(Config()), _trail(live.outputs))
    assert result.difference is not None
    assert result.difference.field == "mode"
    assert (result.difference.logged, result.difference.computed) == (
        "enforce",
        "shadow",
    )


def test_a_run_with_entries_is_computed_again_with_the_minutes_that_it_tells(
    live: Live,
) -> None:
    trail = _trail(live.outputs)
    (key,) = trail.keys
    action = decode_record(Action, trail.action or b"")
    subject, early = key.decode(), action.issued_at // MS - 30
    by: dict[str, Any] = {"author": "ana", "created_at": 0}
    mode = mode_entry(subject, "enforce", reason="known", **by)
    entries = [
        (early, mode),
        (early + 5, release_entry(subject, reason="a class", **by)),
        (early + 9, closing_entry(mode, author="bo", reason="over", created_at=9)),
        (early + 10, mode_entry("*", "shadow", reason="freeze", **by)),
    ]
    scheduled = [
        ScheduledEntry(after, each.entry_id, encode_record(each))
        for after, each in entries
    ]
    pipeline = Pipeline(CONFIG)
    pipeline.schedule(scheduled)
    outputs = list(replay(iter_datums(live.events), pipeline))
    decisions = [
        decode_record(Decision, one.value)
        for one in outputs
        if one.topic == "llm.decisions" and one.value
    ]
    applied = [one for one in decisions if one.kind == "applied"]
    assert len(applied) == 4
    log: list[tuple[str, bytes | None]]
    log = [(each.entry_id, encode_record(each)) for _, each in entries]
    log.insert(3, (mode.entry_id, None))  # the tombstone behind the closing entry
    told = told_schedule(log, applied)
    assert told == scheduled
    mine = [one for one in decisions if one.subject == subject]
    assert "released" in {one.kind for one in mine}
    again = Trail(
        frozenset({key}),
        [
            one.value
            for one in outputs
            if one.topic == "llm.decisions" and one.key == key and one.value
        ],
        None,
        mine[-1].occurred_at,
    )
    result = recompute(live.history(), Pipeline(CONFIG), again, entries=told)
    assert result.difference is None
    assert result.actions == 0
    without = recompute(live.history(), Pipeline(CONFIG), again)
    assert without.difference is not None


def _applied(entry: ControlEntry, minute: int, number: int, **more: Any) -> Decision:
    return Decision(
        decision_id=f"d{number}",
        subject=f"control:{entry.entry_id}",
        kind="applied",
        occurred_at=minute * MS,
        entry_id=entry.entry_id,
        **{"author": entry.author, "reason": entry.reason, **more},
    )


def test_entries_before_the_first_minute_come_before_all_others() -> None:
    by: dict[str, Any] = {"author": "ana", "reason": "r", "created_at": 500 * MS + 7}
    one = mode_entry("*", "shadow", **by)
    two = label_entry("account:a", "benign", **by)
    log = [(each.entry_id, encode_record(each)) for each in (one, two)]
    told = told_schedule(log, [_applied(one, 500, 1), _applied(two, 40, 2)])
    assert [each.after for each in told] == [-1, 40]


def test_what_had_no_effect_is_left_out() -> None:
    by: dict[str, Any] = {"author": "ana", "reason": "r", "created_at": 0}
    wrong = policy_entry("no policy", **by)
    late = mode_entry("*", "shadow", **by)
    log = [
        ("gone", None),
        (wrong.entry_id, encode_record(wrong)),
        (wrong.entry_id, None),
        ("odd", b"no entry"),
        (late.entry_id, encode_record(late)),
    ]
    refused = _applied(wrong, 40, 1, reason="refused: it is none")
    told = told_schedule(log, [refused, refused])
    assert [(each.after, each.value) for each in told] == [(40, encode_record(wrong))]


def test_an_entry_that_was_compacted_away_cannot_be_scheduled() -> None:
    by: dict[str, Any] = {"author": "ana", "reason": "r", "created_at": 0}
    newest = mode_entry("*", "shadow", **by)
    log = [(newest.entry_id, encode_record(newest))]
    both = [_applied(newest, 40, 1), _applied(newest, 50, 2)]
    with pytest.raises(NotReproducible, match="another one of that id"):
        told_schedule(log, both)
