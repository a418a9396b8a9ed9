"""``distillwatch policy backtest``: what another policy would have done."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_CLUSTER,
    Cluster,
    standing_entries,
)
from streams.cli.progress import event_bar
from streams.contracts.time_units import MS_PER_MINUTE
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.config import Config
    from streams.contracts import WriterSchemas
    from streams.engine.backtest import Backtest, Change, Side
    from streams.engine.replay import ScheduledEntry

__all__ = ["app"]

_SHOWN: Final = 20

app = App(
    name="backtest",
    sort_key=3,
    help="Show what a policy would have done, and to whom, had it been in force.",
)


class _History(NamedTuple):
    """What is replayed: ``total`` records for the progress bar."""

    records: Iterable[tuple[bytes, int | None]]
    total: int
    since: int
    entries: list[ScheduledEntry]


@app.default
def backtest(
    file: Path,
    *,
    events: Path | None = None,
    since: str | None = None,
    against: Path | None = None,
    mode: Literal["shadow", "enforce"] | None = None,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    where: Cluster = DEFAULT_CLUSTER,
) -> None:
    """Show what a policy would have done, and to whom, had it been in force.

    History is replayed under the policy in force and under the file. Nothing is
    published. With --events only the events count; with --since what
    operators wrote on llm.control counts, too, but for policies.

    Parameters
    ----------
    file
        The policy to try.
    events
        History: an Avro container of RequestEvents, as `distillwatch simulate` writes.
    since
        History: llm.requests, for example 24h or 7d back from its newest event.
    against
        Another file, in the place of the policy in force.
    mode
        Global mode of both; by default the setting DISTILLWATCH_MODE, or shadow.
    out
        Write all subjects that are treated differently, one JSON object a line.
    json
        Print everything as one JSON object.
    """
    import msgspec

    from streams.bus.schema_registry import request_writers
    from streams.cli.policy import in_force, read_policy
    from streams.config import Config
    from streams.engine.backtest import backtest as compare
    from streams.engine.replay import Pipeline

    config = Config.from_mapping(os.environ)
    config = dataclasses.replace(config, mode=mode or config.mode)
    changed, _ = read_policy(file)
    if (events is None) == (since is None):
        raise ConfigError(
            "which history? give either --events FILE or --since DURATION"
        )
    present = read_policy(against)[0] if against else in_force(where.servers).policy
    writers = request_writers(config.registry_url)
    history = (
        _of_file(events)
        if events is not None
        else _of_topic(where.servers, since or "", config, writers)
    )
    with event_bar(history.total) as progress:
        result = compare(
            history.records,
            Pipeline(config, writers=writers, policy=present),
            Pipeline(config, writers=writers, policy=changed),
            entries=history.entries,
            since=history.since,
            writers=writers,
            progress=progress,
        )
    if out is not None:
        lines = b"".join(msgspec.json.encode(each) + b"\n" for each in result.changes)
        out.write_bytes(lines)
    if json:
        print(msgspec.json.encode(result).decode())
        return
    names = (present.version, changed.version)
    _print_result(result, names, config.mode)


def _of_file(events: Path) -> _History:
    from streams.contracts import iter_datums
    from streams.sdk.container_loader import count_events

    if not events.is_file():
        raise ConfigError(f"{events} is not a file; make one: distillwatch simulate")
    records = ((value, None) for value in iter_datums(events))
    return _History(records, count_events(events), 0, [])


def _of_topic(
    servers: str, since: str, config: Config, writers: WriterSchemas
) -> _History:
    from streams.bus.request_history import RequestHistory
    from streams.policy.durations import parse_duration

    minutes = parse_duration(since)
    history = RequestHistory(
        servers, minutes, max_future=config.max_future, writers=writers
    )
    return _History(
        history.records(), history.total, history.since, _operators_entries(servers)
    )


def _operators_entries(servers: str) -> list[ScheduledEntry]:
    """Give the entries that stand, each after the minute in which it took effect."""
    from streams.bus.applied_decisions import read_applied
    from streams.contracts import encode_record
    from streams.engine.replay import ScheduledEntry
    from streams.policy.control_entries import is_closing

    applied = {each.entry_id: each.occurred_at for each in read_applied(servers)}
    entries = [
        ScheduledEntry(
            applied.get(each.entry_id, each.created_at) // MS_PER_MINUTE,
            each.entry_id,
            encode_record(each),
        )
        for each in standing_entries(servers).values()
        if each.kind != "policy" and not is_closing(each)
    ]
    return sorted(entries, key=lambda each: each.after)


def _print_result(result: Backtest, names: tuple[str, str], mode: str) -> None:
    from streams.cli.listings import print_rows

    print(
        f"{result.events:,} events, {result.refused:,} refused; campaigns found: "
        f"{result.campaigns[0]:,} under {names[0]}, {result.campaigns[1]:,} under "
        f"{names[1]}"
    )
    if result.rungs:
        rows: list[tuple[Any, ...]] = [
            (
                each.rung,
                *_pair(each.subjects),
                *_pair(each.enforced),
                *(f"{hours:,.1f}" for hours in each.hours),
            )
            for each in result.rungs
        ]
        heads = ("accounts", "then", "enforced", "then", "hours on it", "then")
        print_rows(("hardest rung", *heads), rows)
    if mode == "shadow":
        print("The mode is shadow: nothing is to be enforced; try --mode enforce")
    if not result.changes:
        print("No account is treated differently")
        return
    shown = result.changes[:_SHOWN]
    print(f"{len(result.changes):,} accounts are treated differently")
    print_rows(
        ("subject", "change", "now", "then", "campaign"),
        [_change_row(each) for each in shown],
    )
    if len(result.changes) > len(shown):
        print(
            f"and {len(result.changes) - len(shown):,} more; --out FILE and --json "
            "have all"
        )


def _pair(counts: tuple[int, int]) -> tuple[str, str]:
    return f"{counts[0]:,}", f"{counts[1]:,}"


def _change_row(change: Change) -> tuple[str, ...]:
    return (
        change.subject,
        change.kind,
        _side(change.before),
        _side(change.after),
        change.campaign_id,
    )


def _side(side: Side) -> str:
    if side.rung is None:
        return "-"
    return f"{side.rung}, enforced: {side.enforced}" if side.enforced else side.rung
