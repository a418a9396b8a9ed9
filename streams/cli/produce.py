"""``distillwatch produce``: send the events of a file to Kafka."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from streams.errors import ConfigError, TopicMismatch

if TYPE_CHECKING:
    from streams.sdk import ReporterStats, RequestReporter

__all__ = ["app", "parse_speed"]

EXIT_LOST = 1
TOPIC = "llm.requests"
_FLUSH = 0.2  # s between two steps of the bar while the last events go out

app = App(name="produce", help="Send the events of an Avro container to llm.requests.")


@app.default
def produce(events: Path, *, bootstrap: str | None = None, speed: str = "max") -> None:
    """Send every event of a file through the reporter of the SDK.

    Ends with exit code 1 when an event was not delivered.

    Parameters
    ----------
    events
        An Avro container of RequestEvents, as `distillwatch simulate` writes it.
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    speed
        max, realtime, or so many times faster than it happened, for example 60x.
    """
    from streams.config import Config

    factor = parse_speed(speed)
    if not events.is_file():
        raise ConfigError(f"{events} is not a file; make one: distillwatch simulate")
    servers = bootstrap or Config.from_mapping(os.environ).bootstrap
    _require_topic(servers)
    began = time.monotonic()
    stats = _load(events, servers, factor)
    seconds = time.monotonic() - began
    print(
        f"{stats.delivered:,} of {stats.reported:,} events delivered to {TOPIC} at "
        f"{servers} in {seconds:.1f} s: {stats.delivered / seconds:,.0f} events/s"
    )
    if stats.delivered != stats.reported:
        dropped = "".join(f", {n:,} {reason}" for reason, n in stats.dropped.items())
        print(f"lost: {stats.failed:,} failed{dropped}", file=sys.stderr)
        sys.exit(EXIT_LOST)


def parse_speed(text: str) -> float:
    """Read ``max``, ``realtime`` or a factor as ``60x``; `ConfigError` otherwise.

    >>> parse_speed("max"), parse_speed("realtime"), parse_speed("2.5x")
    (inf, 1.0, 2.5)
    """
    if text in ("max", "realtime"):
        return math.inf if text == "max" else 1.0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)x?", text)
    if match is None or float(match[1]) == 0:
        raise ConfigError(
            f"--speed {text} is none of max, realtime and a factor such as 60x"
        )
    return float(match[1])


def _require_topic(servers: str) -> None:
    from streams.bus.topics import check_topics

    if any(d.topic == TOPIC and d.actual is None for d in check_topics(servers)):
        raise TopicMismatch(
            f"topic {TOPIC} is not on {servers}; run: distillwatch topics apply "
            f"--bootstrap {servers}"
        )


def _load(events: Path, servers: str, speed: float) -> ReporterStats:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from streams.sdk import RequestReporter
    from streams.sdk.container_loader import count_events, load_container

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar, RequestReporter(servers, source="urn:distillwatch:produce") as reporter:
        task = bar.add_task(events.name, total=count_events(events))
        load_container(
            events,
            reporter,
            speed=speed,
            on_sent=lambda count: bar.advance(task, count),
        )
        _flush(reporter)
    return reporter.stats


def _flush(reporter: RequestReporter) -> None:
    """Wait for the last events: each is delivered, or fails by itself in minutes."""
    while reporter.flush(_FLUSH):
        pass
