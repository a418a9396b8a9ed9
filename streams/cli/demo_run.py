"""The run of the demonstration: send all events, follow what the workers publish."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Protocol, Self

from streams.bus.pipeline_position import LAST_STAGE_TOPIC, PipelinePosition
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.cli.demo_processes import APP_ID, Workers
from streams.cli.record_lines import json_line
from streams.contracts import Action, decode_record, read_container
from streams.contracts.time_units import MS_PER_MINUTE
from streams.errors import BusError
from streams.scenarios.outcomes import ACTIONS, ALERTS
from streams.sdk import ReporterStats, RequestReporter
from streams.sdk.container_loader import load_container

__all__ = ["ALERT_TOPIC", "Measures", "Screen", "State", "run_events"]

ACTION_TOPIC, ALERT_TOPIC = "llm.actions", "llm.alerts"
_FILES = {ACTION_TOPIC: ACTIONS, ALERT_TOPIC: ALERTS}
_DEADLINE = 150.0  # s for all events; it takes 30 on two cores
_POLL = 0.2  # s between two looks at the workers and at the clock
_STOP_TIMEOUT = 15.0  # s; the reporter gives up what is left after 10


class State(NamedTuple):
    """How far the run is: events sent, and the event time that is closed.

    Times are in minutes since the epoch.
    """

    sent: int
    events: int
    first_minute: int
    last_minute: int
    closed_minute: int
    alerts: int
    rungs: Counter[str]


class Screen(Protocol):
    """Where the run is shown."""

    def published(self, record: ReceivedRecord) -> None:
        """Show an alert or an action, the first time it is seen."""

    def state(self, state: State) -> None:
        """Show how far the run is; called several times a second."""


class Measures(NamedTuple):
    """What the run took; seconds from its start. ``cpu_seconds`` are the workers'."""

    stats: ReporterStats
    sending_seconds: float
    seconds: float
    cpu_seconds: float


class _Sender(threading.Thread):
    """Sends a file's events as fast as Kafka takes them, beside the following."""

    def __init__(self, events: Path, servers: str) -> None:
        super().__init__(name="sender", daemon=True)
        self._events = events
        self._servers = servers
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self.sent = 0
        self.seconds = 0.0
        self.stats: ReporterStats | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self.join(_STOP_TIMEOUT)

    def run(self) -> None:
        began = time.monotonic()
        try:
            with RequestReporter(
                self._servers, source="urn:distillwatch:demo"
            ) as reporter:
                load_container(self._events, reporter, on_sent=self._count)
                while reporter.flush(_POLL) and not self._stopping.is_set():
                    pass
            self.stats = reporter.stats
        except Exception as error:  # noqa: BLE001 - told by the main thread
            self._error = error
        self.seconds = time.monotonic() - began

    def _count(self, count: int) -> None:
        self.sent += count
        if self._stopping.is_set():
            raise BusError("the demonstration was stopped")

    def check(self) -> None:
        """Raise what went wrong in the thread."""
        if self._error is not None:
            raise self._error


class _Publications:
    """What the workers have published: written down, counted, each once."""

    def __init__(self, files: dict[str, IO[str]]) -> None:
        self._files = files
        self._seen: set[tuple[str, bytes]] = set()
        self.alerts = 0
        self.rungs: Counter[str] = Counter()

    def take(self, record: ReceivedRecord) -> bool:
        """Take note of a record; return False for a repeat or a tombstone."""
        if record.value is None or (record.topic, record.value) in self._seen:
            return False
        self._seen.add((record.topic, record.value))
        self._files[record.topic].write(json_line(record) + "\n")
        if record.topic == ALERT_TOPIC:
            self.alerts += 1
        else:
            self.rungs[decode_record(Action, record.value).rung] += 1
        return True


def run_events(
    events: Path, servers: str, workers: Workers, screen: Screen, folder: Path
) -> Measures:
    """Send the events, and follow until all that comes of them is published.

    Writes ``actions.jsonl`` and ``alerts.jsonl`` to ``folder``, as replay does. Raises
    `BusError` when the workers end, or are not done after 150 s.
    """
    count, first, last = _extent(events)
    began, cpu_before = time.monotonic(), workers.cpu_seconds()
    with ExitStack() as stack:
        enter = stack.enter_context
        published = _Publications(
            {
                topic: enter((folder / name).open("w", encoding="utf-8"))
                for topic, name in _FILES.items()
            }
        )
        topics = [*_FILES, LAST_STAGE_TOPIC]
        consumer = enter(RecordsConsumer(servers, topics, from_beginning=True))
        position = enter(PipelinePosition(servers, APP_ID))
        sender = enter(_Sender(events, servers))

        def show() -> None:
            screen.state(
                State(
                    sent=sender.sent,
                    events=count,
                    first_minute=first,
                    last_minute=last,
                    closed_minute=position.closed_minute,
                    alerts=published.alerts,
                    rungs=published.rungs,
                )
            )

        # The last minute stays open, as it does on a topic that goes on.
        while sender.is_alive() or not position.has_published(last - 1):
            for record in consumer.records(until_idle=_POLL):
                if record.topic == LAST_STAGE_TOPIC:
                    position.take(record)
                elif published.take(record):
                    screen.published(record)
                show()
            show()
            sender.check()
            workers.check()
            if time.monotonic() - began > _DEADLINE:
                raise BusError(
                    f"not all was processed after {_DEADLINE:.0f} s: "
                    f"{last - 1 - position.closed_minute} minutes of event time are "
                    f"left. The workers said: {workers.complaints() or 'nothing'}"
                )
        seconds = time.monotonic() - began
        for record in consumer.records(until_idle=_POLL):
            if record.topic != LAST_STAGE_TOPIC and published.take(record):
                screen.published(record)
        show()
        sender.check()
        if sender.stats is None:
            raise BusError("the sender ended without a count of what was delivered")
    cpu = workers.cpu_seconds() - cpu_before
    return Measures(sender.stats, sender.seconds, seconds, cpu)


def _extent(events: Path) -> tuple[int, int, int]:
    """Return the number of events, and the first and last minute."""
    count, first, last = 0, 1 << 62, 0
    for frame in read_container(events):
        minutes = frame["occurred_at"].to_numpy() // MS_PER_MINUTE
        count += len(minutes)
        first, last = min(first, int(minutes.min())), max(last, int(minutes.max()))
    return count, first, last
