"""Load the traffic onto the broker: all at once, or at a pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Producer

from streams.bus.cloudevents import headers
from streams.bus.kafka_settings import producer_settings
from streams.cli.benchmarks.partitioned import Records, read_records
from streams.cli.benchmarks.stand import REQUESTS
from streams.config import Config
from streams.errors import BusError

__all__ = ["Pacer", "finish", "load", "producer", "send"]

_HEADERS: Final[list[tuple[str, str | bytes | None]]] = [
    *headers("0" * 32, "io.distillwatch.RequestEvent", "urn:distillwatch:benchmark", 0)
]
"""Of the right size; the benchmark spares itself the work to fill them in."""
_SLOT: Final = 0.005  # s: what falls due within it is sent together
_FLUSH_TIMEOUT: Final = 60.0  # s


def producer(bootstrap: str, *, linger: float = 0.005) -> Producer:
    """Make a producer as the reporter's; its queue takes whole batches of ours."""
    settings = producer_settings(Config(bootstrap=bootstrap))
    return Producer(
        settings
        | {
            "linger.ms": linger * 1000,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1 << 20,
        }
    )


def send(target: Producer, records: Records, start: int, end: int) -> None:
    """Send a slice of a batch, each record to its partition; wait for a full queue."""
    values, keys, homes = records.values, records.keys, records.partitions
    for at in range(start, end):
        while True:
            try:
                target.produce(
                    REQUESTS, values[at], keys[at], homes[at], headers=_HEADERS
                )
                break
            except BufferError:
                target.poll(0.1)
    target.poll(0)


def finish(target: Producer) -> None:
    """Wait until everything is delivered."""
    if target.flush(_FLUSH_TIMEOUT):
        raise BusError("the broker does not take the events of the benchmark")


def load(
    bootstrap: str,
    file: Path,
    *,
    limit: int | None = None,
    progress: Callable[[int], object] = lambda _count: None,
) -> int:
    """Send the traffic as fast as Kafka takes it; give the number of events."""
    target = producer(bootstrap)
    sent = 0
    for records in read_records(file, limit):
        send(target, records, 0, len(records.values))
        sent += len(records.values)
        progress(len(records.values))
    finish(target)
    return sent


class Pacer:
    """Sends records at a number of events per second, from a thread of its own.

    As a context it ends at the end. ``on_slot`` is told the records, the range of
    those that go out together, and the time by the monotonic clock. The first record
    goes ahead, and the clock starts once it is delivered, at ``began``: an idempotent
    producer waits for half a second until it has its number.
    """

    def __init__(
        self,
        bootstrap: str,
        batches: list[Records],
        rate: float,
        on_slot: Callable[[Records, int, int, float], object] = lambda *_: None,
    ) -> None:
        self._producer = producer(bootstrap, linger=0.0)
        self._batches = batches
        self._rate = rate
        self._on_slot = on_slot
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="pacer", daemon=True)
        self.began = time.monotonic()
        self.sent = 0
        self.latest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        finish(self._producer)

    @property
    def done(self) -> bool:
        """Whether everything is sent; raises what went wrong in the thread."""
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._send()
        except Exception as error:  # noqa: BLE001  told by the main thread
            self._error = error

    def _send(self) -> None:
        self._send_slot(self._batches[0], 0, 1)
        finish(self._producer)
        self.began = began = time.monotonic()
        for number, records in enumerate(self._batches):
            at = 0 if number else 1
            while at < len(records.values) and not self._stopping.is_set():
                now = time.monotonic()
                due = int((now - began + _SLOT) * self._rate) - self.sent
                end = min(at + due, len(records.values))
                if end > at:
                    self._send_slot(records, at, end)
                    at = end
                late = now - began - self.sent / self._rate
                self.latest = max(self.latest, late)
                time.sleep(_SLOT)

    def _send_slot(self, records: Records, start: int, end: int) -> None:
        self._on_slot(records, start, end, time.monotonic())
        send(self._producer, records, start, end)
        self.sent += end - start
