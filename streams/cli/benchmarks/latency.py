"""From the deciding event to the action that a consumer can read.

A minute of event time is handled when every partition has closed it. So the *deciding
event* of an action of minute M is the event by whose arrival the last partition closed
M: the first of a later minute there. What goes before it is no processing but waiting
for the clock: up to a minute from an account's request to the end of its minute, and on
a partition with little traffic longer, until something later arrives. That part is told
apart, in event time, since traffic is replayed faster than it was.

From the deciding event on, three waits go by the clock, and are told apart: for the
flush of the first stage, which comes every flush interval; for the broker, which holds
each of three answers back until there is more to tell; and for what else comes to each
of the two later stages before they are flushed. Offsets are committed after outputs are
sent, so the commit interval is no part of it. The rest is work, and waiting for work.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from streams.agents.flush_rule import HOP, longest_poll
from streams.agents.warm_up import LOAD_THE_REST_AFTER
from streams.bus.kafka_settings import client_settings
from streams.cli.benchmarks.loader import Pacer, finish, load, producer, send
from streams.cli.benchmarks.partitioned import Records, cut, read_records
from streams.cli.benchmarks.pipeline_run import run_backlog
from streams.cli.benchmarks.stand import REQUESTS, Stand
from streams.cli.benchmarks.traffic import last_minute, write_live
from streams.config import Config
from streams.contracts import Action, decode_record, load_topics
from streams.contracts.time_units import MS_PER_MINUTE

__all__ = ["LOADS", "LOW_LATENCY", "LatencyResult", "LoadLatency", "measure_latency"]

LOADS: Final = (0.1, 0.5, 0.8)
LOW_LATENCY: Final = 0.05
"""The flush interval of the low-latency setting, in seconds."""
_ACTIONS: Final = "llm.actions"
_WARM_UP: Final = 0.4
"""Share of the traffic that is processed before: campaigns must be there to act on."""
_TIMEOUT: Final = 300.0  # s
_SETTLE: Final = 3.0  # s after the last event, for its actions to arrive
_LOADED: Final = LOAD_THE_REST_AFTER + 3.0  # s; by then it is all loaded
_POLL: Final = 0.05  # s
_LIVE: Final = 150.0  # s; two minutes end in it, the last early enough to be handled
_ANSWERS: Final = 3  # of the broker on the way
_LATER_STAGES: Final = 2


class LoadLatency(msgspec.Struct, frozen=True):
    """Latency at one load; times in milliseconds but where the name says ``_s``.

    ``flush_ms`` is what waiting for the flush makes of it in the mean, ``hops_ms`` what
    waiting for the broker and for other partitions does. ``minute_wait_s`` is event
    time from the end of an action's minute to its deciding event, the median; within
    the minute 30 s are waited in the mean.
    """

    load: float
    flush_interval_s: float
    events_per_second: float
    actions: int
    p50_ms: float
    p99_ms: float
    p99_9_ms: float
    flush_ms: float
    hops_ms: float
    minute_wait_s: float
    sender_late_s: float


class LatencyResult(msgspec.Struct, frozen=True):
    """The capacity of one worker on one core, and the latencies below it.

    In ``live``, event time goes like the clock.
    """

    capacity: float
    loads: list[LoadLatency]
    low_latency: LoadLatency
    live: LoadLatency


def measure_latency(
    stand: Stand, traffic: Path, step: Callable[[str], object] = lambda _title: None
) -> LatencyResult:
    """Measure the capacity, then the latency at shares of it, at two settings."""
    step("measuring the capacity")
    load(stand.bootstrap, traffic)
    config = stand.config("latency")
    backlog = run_backlog(stand, config, last_minute=last_minute(traffic))
    capacity = backlog.measured.rate
    batches = list(read_records(traffic))
    warm = max(1, round(len(batches) * _WARM_UP))
    before, after = batches[:warm], batches[warm:]
    events = sum(len(batch.values) for batch in after)
    # Each load lasts as long as the others, and together they use the events up.
    seconds = events / capacity / sum(LOADS)
    loads: list[LoadLatency] = []
    with _warm_worker(stand, before, Config().flush_interval) as config:
        source = _Slices(after)
        for share in LOADS:
            step(f"at {share:.0%} of the capacity")
            rate = capacity * share
            part = source.take(round(rate * seconds))
            loads.append(_paced(stand, config, part, rate, share))
    with _warm_worker(stand, before, LOW_LATENCY) as config:
        step(f"at 50%, flushing every {LOW_LATENCY * 1000:.0f} ms")
        part = _Slices(after).take(round(capacity * 0.5 * seconds))
        low = _paced(stand, config, part, capacity * 0.5, 0.5)
    step(f"for {_LIVE:.0f} s as it is live")
    live = _live(stand, traffic, before, events, capacity)
    return LatencyResult(capacity, loads, low, live)


def _live(
    stand: Stand, traffic: Path, before: list[Records], events: int, capacity: float
) -> LoadLatency:
    rate = events / _LIVE
    skip = sum(len(batch.values) for batch in before)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "live.avro"
        write_live(traffic, file, skip=skip, rate=rate)
        batches = list(read_records(file))
    with _warm_worker(stand, before, Config().flush_interval) as config:
        return _paced(stand, config, batches, rate, round(rate / capacity, 3))


class _Slices:
    """Takes events from batches, in order."""

    def __init__(self, batches: list[Records]) -> None:
        self._batches = list(batches)

    def take(self, count: int) -> list[Records]:
        taken: list[Records] = []
        while count > 0 and self._batches:
            batch = self._batches.pop(0)
            size = len(batch.values)
            if size > count:
                self._batches.insert(0, cut(batch, count, size))
                batch = cut(batch, 0, count)
            taken.append(batch)
            count -= size
        return taken


@contextmanager
def _warm_worker(
    stand: Stand, before: list[Records], flush_interval: float
) -> Iterator[Config]:
    """Run a worker that has processed the first events."""
    stand.clear(keep_requests=False)
    target = producer(stand.bootstrap)
    for records in before:
        send(target, records, 0, len(records.values))
    finish(target)
    config = stand.config("latency", flush_interval=flush_interval)
    with stand.offsets(config) as offsets:
        # The minute that stays open may reach into the last chunk but one.
        goal = [max(end - 2 * config.chunk_records, 0) for end in offsets.ends()]
        with stand.worker(config, bound=True) as worker:
            offsets.wait(REQUESTS, goal, [worker], timeout=_TIMEOUT)
            offsets.wait_until_still()
            time.sleep(_LOADED)
            yield config
            worker.check()


class _Closings:
    """When each partition closed its minutes: told by what is sent to it."""

    def __init__(self) -> None:
        count = load_topics()[REQUESTS].partitions
        self._minutes: list[list[int]] = [[] for _ in range(count)]
        self._at: list[list[tuple[float, int]]] = [[] for _ in range(count)]

    def slot(self, records: Records, start: int, end: int, now: float) -> None:
        """Take note of records that are sent at ``now``."""
        homes, times = records.partitions, records.timestamps
        for at in range(start, end):
            minute, home = times[at] // MS_PER_MINUTE, homes[at]
            seen = self._minutes[home]
            if not seen or minute > seen[-1]:
                seen.append(minute)
                self._at[home].append((now, times[at]))

    def deciding(self, minute: int) -> tuple[float, int] | None:
        """Give when the last partition closed a minute, and that event's own time.

        None when a partition has not closed it here, or had closed it before.
        """
        found: list[tuple[float, int]] = []
        for minutes, at in zip(self._minutes, self._at, strict=True):
            place = bisect.bisect_right(minutes, minute)
            if place == 0 or place == len(minutes):
                return None
            found.append(at[place])
        return max(found)


class _Actions(threading.Thread):
    """Reads actions one by one as they come; as a context it ends at the end."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__(name="actions", daemon=True)
        settings = client_settings(Config(bootstrap=bootstrap))
        self._consumer = Consumer(
            settings | {"group.id": "latency", "enable.auto.commit": False}
        )
        partitions = [
            TopicPartition(_ACTIONS, p)
            for p in range(load_topics()[_ACTIONS].partitions)
        ]
        for each in partitions:
            each.offset = self._consumer.get_watermark_offsets(each, timeout=10)[1]
        self._consumer.assign(partitions)
        self._stopping = threading.Event()
        self.arrived: list[tuple[float, bytes]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self.join()
        self._consumer.close()

    def run(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(_POLL)
            if message is None or message.error() is not None:
                continue
            if value := message.value():
                self.arrived.append((time.monotonic(), value))


def _paced(
    stand: Stand, config: Config, part: list[Records], rate: float, share: float
) -> LoadLatency:
    closings = _Closings()
    with _Actions(stand.bootstrap) as actions:
        with Pacer(stand.bootstrap, part, rate, closings.slot) as pacer:
            while not pacer.done:
                time.sleep(_POLL)
            sending = time.monotonic() - pacer.began
        time.sleep(_SETTLE)
    taken, waited = [], []
    for arrived, value in actions.arrived:
        minute = decode_record(Action, value).issued_at // MS_PER_MINUTE
        decided = closings.deciding(minute)
        if decided is not None:
            taken.append((arrived - decided[0]) * 1000)
            waited.append(decided[1] / 1000 - (minute + 1) * 60)
    p50, p99, p99_9 = np.quantile(taken or [np.nan], (0.5, 0.99, 0.999)).tolist()
    return LoadLatency(
        load=share,
        flush_interval_s=config.flush_interval,
        events_per_second=round(pacer.sent / sending, 1),
        actions=len(taken),
        p50_ms=round(p50, 1),
        p99_ms=round(p99, 1),
        p99_9_ms=round(p99_9, 1),
        flush_ms=round(config.flush_interval / 2 * 1000, 1),
        hops_ms=round(_hops(config.flush_interval) * 1000, 1),
        minute_wait_s=round(float(np.median(waited or [np.nan])), 1),
        sender_late_s=round(pacer.latest, 3),
    )


def _hops(flush_interval: float) -> float:
    return _ANSWERS * longest_poll(flush_interval) / 2 + _LATER_STAGES * HOP
