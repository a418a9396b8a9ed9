"""Compute an explained decision again from the log, and say whether it is the same."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TextIO

from streams.cli.decision_log import Logged, decoded
from streams.cli.explain_records import Found
from streams.contracts import Action, Decision
from streams.engine.recomputation import Trail, recompute, told_schedule
from streams.errors import ConfigError, NotReproducible

if TYPE_CHECKING:
    from streams.config import Config
    from streams.contracts import WriterSchemas
    from streams.engine.recomputation import Recomputation
    from streams.policy.explanation import Explanation

__all__ = ["print_recomputation", "verify"]

_ALL_TIME: Final = 1 << 40  # minutes: from the beginning of the log


def verify(
    found: Found,
    told: Explanation,
    *,
    servers: str,
    events: Path | None,
    mode: Literal["shadow", "enforce"] | None,
) -> Recomputation:
    """Replay requests and operators' entries up to the decision; compare.

    Raises `NotReproducible` when the log or the reference is not the one that the
    decision was made from.
    """
    from streams.bus.schema_registry import request_writers
    from streams.cli.progress import event_bar
    from streams.config import Config
    from streams.engine.replay import Pipeline
    from streams.engine.stages import reference_in_use

    if told.decided_at is None:
        raise NotReproducible(f"nothing was decided about {told.subject}")
    config = Config.from_mapping(os.environ)
    own, ours = told.versions.model, reference_in_use(config).version
    if own != ours:
        raise NotReproducible(
            f"reference {own} decided, and this is {ours}: install the version of "
            "distillwatch that has it, and set DISTILLWATCH_CATALOGUE to the catalogue "
            "of that time"
        )
    config = dataclasses.replace(config, mode=mode or config.mode)
    writers = request_writers(config.registry_url)
    history, total = _history(events, servers, config, writers)
    applied = [each for each in found.known.decisions if each.kind == "applied"]
    with event_bar(total) as progress:
        return recompute(
            history,
            Pipeline(config, writers=writers),
            _trail(found, told),
            entries=told_schedule(found.control, applied),
            progress=progress,
        )


def _history(
    events: Path | None, servers: str, config: Config, writers: WriterSchemas
) -> tuple[Iterator[tuple[bytes, int | None]], int]:
    from streams.bus.request_history import RequestHistory
    from streams.contracts import iter_datums
    from streams.sdk.container_loader import count_events

    if events is not None:
        if not events.is_file():
            raise ConfigError(f"{events} is not a file")
        return ((value, None) for value in iter_datums(events)), count_events(events)
    history = RequestHistory(
        servers, _ALL_TIME, max_future=config.max_future, writers=writers
    )
    if history.removed:
        raise NotReproducible(
            f"retention has removed the first {history.removed:,} records of "
            "llm.requests, and state grew from them; with a file of all events from "
            "the beginning: --events FILE"
        )
    return iter(history.records()), history.total


def _trail(found: Found, told: Explanation) -> Trail:
    """Collect what the log says up to the action asked about, or up to the present."""
    until = told.decided_at or 0
    if found.action_id is None:
        mine = (_time(one) for one in found.decisions if one.key == found.subject)
        until = max((until, *mine))
    names = {found.subject}
    if told.campaign is not None:
        names.add(f"campaign:{told.campaign.campaign_id}")
    decisions = [
        record.value
        for record in found.decisions
        if record.key in names and record.value is not None and _time(record) <= until
    ]
    wanted = next((each.action_id for each in told.timeline if each.asked), None)
    action = None
    for record in found.actions:
        logged = None if record.value is None else decoded(Action, record)
        if logged is not None and logged.action_id == wanted:
            action = record.value
    keys = frozenset(name.encode() for name in names)
    return Trail(keys, decisions, action, until)


def _time(record: Logged) -> int:
    decision = decoded(Decision, record)
    return 0 if decision is None else decision.occurred_at


def print_recomputation(result: Recomputation, out: TextIO) -> None:
    """Say what came of it; the first difference goes to stderr."""
    compared = f"{result.decisions:,} decisions"
    if result.actions:
        compared += " and the action"
    if result.difference is None:
        told = f"re-computed: identical, {compared}, from {result.events:,} events"
        if not result.actions:
            told += "; llm.actions does not hold the action any more"
        print(told, file=out)
        return
    first = result.difference
    print(
        f"re-computed: NOT identical: {first.record}, {first.field}: the log has "
        f"{first.logged!r}, computed was {first.computed!r}",
        file=sys.stderr,
    )
    if first.field in ("mode", "appeal_token"):
        name = {"mode": "--mode", "appeal_token": "DISTILLWATCH_APPEAL_KEY"}
        print(
            f"is {name[first.field]} what the workers were started with?",
            file=sys.stderr,
        )
