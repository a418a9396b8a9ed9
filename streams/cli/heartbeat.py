"""``distillwatch heartbeat``: is the pipeline armed, or is it broken and quiet."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter, validators

from streams.errors import BusError, ConfigError

if TYPE_CHECKING:
    from streams.bus.metrics import Metrics
    from streams.contracts import RequestEvent

__all__ = ["EXIT_NOT_FOUND", "app"]

EXIT_NOT_FOUND: Final = 1
_POLL: Final = 0.2  # s
_RUN_CHARS: Final = 12
_FLUSH: Final = 10.0  # s
_MIN_EVERY: Final = 60  # minutes: each costs a test of the day's budget
_Positive = validators.Number(gt=0)

app = App(name="heartbeat", help="Tell an armed pipeline from a broken one.")


@app.default
def heartbeat(
    *,
    within: Annotated[float, Parameter(validator=_Positive)] = 120.0,
    every: str | None = None,
    listen: str = "",
    bootstrap: str | None = None,
) -> None:
    """Send a small campaign of our own, and wait until the workers withhold actions.

    An empty list of actions may mean that nobody attacks, or that nothing works. Here
    16 new accounts send 48 exchanges that no working pipeline can overlook. They share
    a client that is put on the allowlist first, so nothing is done to anybody; alerts
    about them name that client, distillwatch-heartbeat. Each costs one test of the
    day's budget: 2 % of it, 6 a day 11 %, 24 a day 32 %.

    Exit code 1 when a decision is missing.

    Parameters
    ----------
    within
        Seconds that it may take: a minute of event time has to end, and in a stream
        that is busy the campaign counts in the one that is open.
    every
        Go on, one after each such time (4h, 1d; 1h at least).
    listen
        HOST:PORT of Prometheus metrics, at /metrics, while it goes on; empty for none.
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    """
    from streams.config import Config
    from streams.policy.durations import parse_duration

    servers = bootstrap or Config.from_mapping(os.environ).bootstrap
    if every is None:
        told, seconds = _beat(servers, within)
        print(told, file=sys.stdout if seconds is not None else sys.stderr)
        sys.exit(0 if seconds is not None else EXIT_NOT_FOUND)
    minutes = parse_duration(every)
    if minutes < _MIN_EVERY:
        raise ConfigError(
            f"--every {every} is shorter than 1h: each costs a test of the day's budget"
        )
    metrics = _serve(listen) if listen else None
    while True:
        began = time.monotonic()
        try:
            told, seconds = _beat(servers, within)
        except BusError as error:
            told, seconds = f"heartbeat failed: {error}", None
        print(told, flush=True)
        if metrics is not None:
            _note(metrics, seconds)
        time.sleep(max(0.0, minutes * 60 - (time.monotonic() - began)))


def _beat(servers: str, within: float) -> tuple[str, float | None]:
    """Send one and wait; give what to tell, and the seconds it took or None."""
    from streams.bus.records_consumer import RecordsConsumer
    from streams.contracts.time_units import MS_PER_MINUTE
    from streams.contracts.topics import load_topics
    from streams.scenarios.heartbeat import closing_events, heartbeat_events

    run = uuid.uuid4().hex[:_RUN_CHARS]
    if not _allow(servers, within):
        return (
            f"not armed: the workers have not applied an allowlist entry within "
            f"{within:g} s; do they run (distillwatch run)? Nothing was sent"
        ), None
    watched = ["llm.decisions", "llm.facets", "llm.links"]
    with RecordsConsumer(servers, watched) as consumer:
        now, began = int(time.time() * 1000), time.monotonic()
        partitions = load_topics()["llm.requests"].partitions
        campaign, closing = heartbeat_events(run, now, partitions=partitions)
        _send(servers, [*campaign, *closing])
        wanted = {f"account:{each.account_id}".encode() for each in campaign}
        first: dict[str, float] = {}
        while time.monotonic() - began < within:
            for record in consumer.records(until_idle=_POLL):
                took = time.monotonic() - began
                first.setdefault(record.topic, took)
                if record.topic == "llm.decisions" and record.key in wanted:
                    wanted.discard(record.key)
                if not wanted or took >= within:
                    break
            if not wanted:
                took = time.monotonic() - began
                return _came_through(len(campaign), first, took), took
            later = int(time.time() * 1000)
            if later // MS_PER_MINUTE > now // MS_PER_MINUTE:
                now = later
                _send(servers, closing_events(run, now, partitions=partitions))
    return _missing(len(wanted), first, within), None


def _send(servers: str, events: Sequence[RequestEvent]) -> None:
    from streams.sdk import RequestReporter

    with RequestReporter(servers, linger=0.005) as reporter:
        for event in events:
            reporter.report(event)
        left = reporter.flush(_FLUSH)
    if left:
        raise BusError(f"{servers} took {left} events not within {_FLUSH:g} s")


def _came_through(events: int, first: dict[str, float], took: float) -> str:
    stages = ", ".join(
        f"{name} {first[topic]:.1f} s"
        for name, topic in (("accounts", "llm.facets"), ("facets", "llm.links"))
        if topic in first
    )
    return (
        f"armed: {events} exchanges found, actions withheld in {took:.1f} s ({stages})"
    )


def _missing(missing: int, first: dict[str, float], within: float) -> str:
    if "llm.facets" not in first:
        why = (
            "nothing came to llm.facets: do workers run (distillwatch run), and do "
            "they keep up with llm.requests?"
        )
    elif "llm.links" not in first:
        why = (
            "nothing came to llm.links: the facets stage waits for a partition of "
            "llm.requests whose minutes do not close, or it does not run"
        )
    else:
        why = (
            "the campaigns stage has said nothing of them: it does not run, lags, or "
            "the day's budget of tests is spent (alert budget_exhausted)"
        )
    return f"not armed: {missing} decisions are missing after {within:g} s; {why}"


def _allow(servers: str, within: float) -> bool:
    """Put the client of all heartbeats on the allowlist; say whether that counts."""
    from streams.bus.applied_decisions import AppliedDecisions
    from streams.bus.control_log import append_entries, read_entries
    from streams.cli.control_writes import now_ms
    from streams.policy.control_entries import HEARTBEAT, allowlist_entry
    from streams.scenarios.heartbeat import HEARTBEAT_CLIENT

    entry = allowlist_entry(
        f"facet:client:{HEARTBEAT_CLIENT}",
        author="distillwatch heartbeat",
        reason="a campaign of our own, which shows that the pipeline is armed",
        created_at=now_ms(),
        heartbeat=True,
    )
    held = read_entries(servers, on_unreadable=lambda _told: None).get(entry.entry_id)
    if held is not None and held.expires_at is None and held.value == HEARTBEAT:
        return True
    with AppliedDecisions(servers) as applied:
        append_entries(servers, [entry])
        return bool(applied.wait_for([entry.entry_id], within))


def _serve(listen: str) -> Metrics:
    from prometheus_client import CollectorRegistry, start_http_server

    from streams.bus.metrics import Metrics

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--listen {listen} is not HOST:PORT, as 127.0.0.1:9402")
    registry = CollectorRegistry()
    start_http_server(int(port), host.strip("[]"), registry)
    return Metrics(registry, prefixes=["distillwatch_heartbeat_"])


def _note(metrics: Metrics, seconds: float | None) -> None:
    if seconds is None:
        metrics.counter("distillwatch_heartbeat_failures_total").inc()
        return
    metrics.gauge("distillwatch_heartbeat_seconds").set(seconds)
    succeeded = metrics.gauge("distillwatch_heartbeat_last_success_timestamp_seconds")
    succeeded.set_to_current_time()
