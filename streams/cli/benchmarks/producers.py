"""What a gateway pays to report, beside the plain ways to do the same."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import fastavro
from confluent_kafka import KafkaError, Message, Producer

from streams.bus.cloudevents import headers
from streams.cli.benchmarks.stand import REQUESTS
from streams.contracts import read_container
from streams.contracts.schemas import schema
from streams.contracts.writers import single_object_header
from streams.errors import BusError
from streams.sdk.event_producer import EVENT_TYPE, producer_settings
from streams.sdk.producer_benchmark import ReporterCost, measure_reporter

__all__ = ["REPORTER", "TARGETS", "Producers", "measure_producers", "traffic_events"]

REPORTER: Final = "reporter"
TARGETS: Final = {"events_per_second": 100_000, "call_us": 5, "sketch_us": 60}
_LINGER: Final = 0.02  # s, as the reporter's
_LOOK: Final = 1000  # events between two looks at delivery reports
_TIMEOUT: Final = 60.0  # s
_MICROSECONDS: Final = 1e6
_NAME: Final = "RequestEvent"
Events = Sequence[Mapping[str, Any]]


class Producers(NamedTuple):
    """What all rounds measured, by contestant."""

    events: int
    rounds: Mapping[str, list[ReporterCost]]

    def typical(self, name: str) -> ReporterCost:
        """Give the median of each figure."""
        found = [dataclasses.asdict(cost) for cost in self.rounds[name]]
        return ReporterCost(**{k: median(one[k] for one in found) for k in found[0]})

    def as_json(self) -> dict[str, Any]:
        """Give the medians by contestant, and what the reporter is beside the others.

        ``over`` are quotients of events a second; ``cpu_over`` those of events a second
        of the interpreter's time, which other work on the machine disturbs less.
        """
        ours = self.typical(REPORTER)
        figures = {name: self.typical(name) for name in self.rounds}
        return {
            "events": self.events,
            "rounds": len(self.rounds[REPORTER]),
            **{name: dataclasses.asdict(cost) for name, cost in figures.items()},
            "over": {
                name: ours.events_per_second / cost.events_per_second
                for name, cost in figures.items()
                if name != REPORTER
            },
            "cpu_over": {
                name: cost.interpreter_us / ours.interpreter_us
                for name, cost in figures.items()
                if name != REPORTER
            },
            "targets": {
                name: TARGETS[name] for name in ("events_per_second", "call_us")
            },
        }


def traffic_events(traffic: Path, count: int) -> list[dict[str, Any]]:
    """Read the first events of a container as dicts, as a gateway has them."""
    events: list[dict[str, Any]] = []
    for frame in read_container(traffic):
        events += frame.to_dicts()
        if len(events) >= count:
            break
    return events[:count]


def measure_producers(
    bootstrap: str,
    events: Events,
    *,
    rounds: int,
    step: Callable[[str], object] = lambda _title: None,
) -> Producers:
    """Let each send all events ``rounds`` times in turn, in another order each."""
    measured: dict[str, list[ReporterCost]] = {name: [] for name in _CONTESTANTS}
    names = [*_CONTESTANTS]
    for turn in range(rounds):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            step(name)
            measured[name].append(_CONTESTANTS[name](bootstrap, events))
    return Producers(len(events), measured)


def _fastavro(bootstrap: str, events: Events) -> ReporterCost:
    """One thread that encodes with fastavro and produces, with the same headers."""
    parsed = fastavro.parse_schema(schema(_NAME))
    framing = single_object_header(schema(_NAME))

    def send(event: Mapping[str, Any], produce: Callable[..., None]) -> None:
        buffer = io.BytesIO()
        buffer.write(framing)
        fastavro.schemaless_writer(buffer, parsed, event)
        produce(
            buffer.getvalue(),
            event["account_id"],
            headers=headers(event["event_id"], EVENT_TYPE, "me", event["occurred_at"]),
        )

    return _plain(bootstrap, events, send)


def _encoded(bootstrap: str, events: Events) -> ReporterCost:
    """One thread that produces the same bytes again and again: the least there is."""
    value = bytes(300)

    def send(event: Mapping[str, Any], produce: Callable[..., None]) -> None:
        produce(value, event["account_id"])

    return _plain(bootstrap, events, send)


def _plain(
    bootstrap: str,
    events: Events,
    send: Callable[[Mapping[str, Any], Callable[..., None]], None],
) -> ReporterCost:
    limit = len(events) + 1
    settings = producer_settings(bootstrap, linger=_LINGER, queue_limit=limit)
    producer = Producer(settings)
    delivered = 0

    def settle(error: KafkaError | None, _message: Message) -> None:
        nonlocal delivered
        delivered += error is None

    def produce(value: bytes, key: str, **others: Any) -> None:
        producer.produce(REQUESTS, value, key, on_delivery=settle, **others)

    send(events[0], produce)
    producer.flush(_TIMEOUT)  # so that the connection stands
    calls = 0.0
    held, cpu, begin = time.thread_time(), time.process_time(), time.perf_counter()
    for number, event in enumerate(events):
        before = time.perf_counter()
        send(event, produce)
        calls += time.perf_counter() - before
        if number % _LOOK == 0:
            producer.poll(0)
    producer.flush(_TIMEOUT)
    seconds, used = time.perf_counter() - begin, time.process_time() - cpu
    held = time.thread_time() - held
    if delivered != limit:
        raise BusError(f"{bootstrap} took {delivered:,} of {limit:,} events")
    scale = _MICROSECONDS / len(events)
    return ReporterCost(
        call_us=calls * scale,
        cpu_us=used * scale,
        interpreter_us=held * scale,
        events_per_second=len(events) / seconds,
    )


_CONTESTANTS: Final[Mapping[str, Callable[[str, Events], ReporterCost]]] = {
    REPORTER: measure_reporter,
    "confluent_fastavro": _fastavro,
    "confluent_encoded": _encoded,
}
