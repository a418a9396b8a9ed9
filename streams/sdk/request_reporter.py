"""What a gateway installs: it hands over request events and never waits for Kafka."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import itertools
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from confluent_kafka import KafkaError, KafkaException, Message

from streams.contracts.records import RequestEvent
from streams.contracts.schemas import schema
from streams.contracts.writers import confluent_header, single_object_header
from streams.errors import ConfigError, ContentRefused
from streams.sdk.event_producer import EventProducer, is_purged, producer_settings
from streams.sdk.event_record import (
    Accepted,
    Content,
    event_ids,
    event_records,
    sketches,
)
from streams.sdk.report_ledger import ReportLedger
from streams.sdk.reporter_stats import DropReason, ReporterStats
from streams.sdk.throttled_log import ThrottledLog

if TYPE_CHECKING:
    from streams.sketch import Sketcher

__all__ = ["REPORTER_THREAD", "RequestReporter"]

REPORTER_THREAD = "distillwatch-reporter"
"""Name of the thread of each reporter."""

_SOURCE = "urn:distillwatch:gateway"
_TOPIC = "llm.requests"
_LINGER = 0.02  # s: a batch of a busy gateway is full by then, a quiet one waits little
_SLICE = 1000  # events handled between two looks at delivery reports
_POLL = 0.05  # s that delivery reports are waited for while events are under way
_GATHER = 0.005  # s at least between two slices that are not full
_PAUSE = 0.002  # s between two looks of a caller who chose to wait
_CLOSE_TIMEOUT = 10.0  # s; a broker that is up takes a full buffer in one
_EXIT_TIMEOUT = 5.0  # s by which an unclosed reporter may delay the end of its process
_JOIN_TIMEOUT = 5.0  # s that the thread may take to give up what is left
_NANOSECONDS = 1_000_000  # in a millisecond
_TOO_LATE = "not delivered in the time given to close()"
_FORKED = (
    "this RequestReporter was made before a fork; make one in each process, after it"
)

_log = logging.getLogger("distillwatch.sdk")
_reporters: weakref.WeakSet[RequestReporter] = weakref.WeakSet()


# One accepted call: the event, nanoseconds since the epoch, and what to sketch.
_Encoded: TypeAlias = tuple[bytes, str | bytes, int, str]  # a row of report_encoded()
_Report: TypeAlias = tuple[RequestEvent | dict[str, Any], int, Content | None]


class RequestReporter:
    """Report the requests of a gateway to ``llm.requests``, off the request's path.

    `report` only appends to a buffer; a thread of the reporter sketches, checks,
    encodes and sends. When Kafka is slow or away the buffer fills, then events are
    dropped and counted, and when it is back delivery goes on by itself. At most
    ``max_buffered`` events wait in the process. Events of one account arrive in the
    order of the calls. All methods may be called from any thread.

    ``sketcher`` turns prompts into sketches and is needed to report with a prompt.
    ``linger`` (seconds) is how long a batch may wait for more events. ``schema_id``
    chooses Confluent's framing with this registry id; without it events carry Avro's
    single-object framing. ``kafka_settings`` are librdkafka's (security, above all).

    Make a reporter after a server has forked its workers, one in each: in a child of
    its process it only raises `ReporterClosed`. An unclosed one is closed when the
    process ends.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        source: str = _SOURCE,
        topic: str = _TOPIC,
        sketcher: Sketcher | None = None,
        max_buffered: int = 100_000,
        linger: float = _LINGER,
        schema_id: int | None = None,
        kafka_settings: Mapping[str, Any] | None = None,
    ) -> None:
        if max_buffered < 1:
            raise ConfigError(f"max_buffered = {max_buffered} is below 1 event")
        self._bootstrap = bootstrap
        self._topic = topic
        self._sketcher = sketcher
        self._ledger = ReportLedger(max_buffered)
        self._framing = (
            single_object_header(schema("RequestEvent"))
            if schema_id is None
            else confluent_header(schema_id)
        )
        self._log = ThrottledLog(_log)
        self._producer = EventProducer(
            producer_settings(
                bootstrap,
                linger=linger,
                queue_limit=max_buffered,
                overrides=kafka_settings,
            ),
            topic=topic,
            source=source,
            on_settled=self._settle,
            on_error=lambda error: self._log.tell("Kafka", error.str()),
        )
        self._queue: queue.SimpleQueue[_Report | None] = queue.SimpleQueue()
        self._ids = event_ids()
        self._stop = threading.Event()
        self._closing = threading.Lock()
        self._thread = threading.Thread(
            target=self._run, name=REPORTER_THREAD, daemon=True
        )
        self._thread.start()
        atexit.register(self.close, _EXIT_TIMEOUT)
        _reporters.add(self)

    def __repr__(self) -> str:
        # No settings: they may hold passwords.
        state = "closed" if self._ledger.closed else "open"
        return f"RequestReporter({self._bootstrap!r}, topic={self._topic!r}, {state})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def stats(self) -> ReporterStats:
        """Snapshot of the counts."""
        return self._ledger.stats()

    def report(
        self,
        event: RequestEvent | Mapping[str, Any],
        *,
        prompt: str | None = None,
        system: Any = None,
        tools: Any = None,
        turns: Any = None,
    ) -> bool:
        """Take one event; False when the buffer is full and it was dropped.

        Never waits, and raises nothing because of Kafka or of what the event holds. A
        mapping has the fields of `RequestEvent` and may lack ``event_id`` (one is made)
        and ``occurred_at`` (now). With ``prompt`` the event gets the sketch of
        it, and of ``system``, ``tools`` and ``turns``; the text stays in this process
        and is let go once it is sketched. Do not change the arguments afterwards.

        Raises `ReporterClosed` after `close`, and `ConfigError` for a prompt without a
        sketcher.
        """
        content = None
        if prompt is not None:
            if self._sketcher is None:
                raise ConfigError(
                    "a prompt was reported, but RequestReporter has no sketcher; pass "
                    "sketcher=, or report the event without its prompt"
                )
            content = (prompt, system, tools, turns)
        # A copy of a mapping, as the caller may fill it anew for the next request.
        taken = event if isinstance(event, RequestEvent) else dict(event)
        if not self._ledger.accept():
            self._overflow(1)
            return False
        self._queue.put((taken, time.time_ns(), content))
        return True

    def report_encoded(
        self,
        values: Sequence[bytes],
        *,
        keys: Sequence[bytes | str],
        timestamps: Sequence[int],
        event_ids: Sequence[str],
        block: bool = True,
    ) -> int:
        """Take events that are encoded already, as parallel columns; for loaders.

        ``values`` are RequestEvents with their framing (as `iter_datums` gives them)
        and are sent unchecked; ``keys`` are account ids, ``timestamps`` milliseconds
        since the epoch. With ``block`` the caller waits while the buffer is full;
        without, what finds no room is dropped. Returns how many were taken. Raises
        `ReporterClosed` when the reporter is closed before all are.
        """
        rows = zip(values, keys, timestamps, event_ids, strict=True)
        left = len(values)
        while left:
            room = self._ledger.accept(min(left, _SLICE))
            if room:
                self._send(itertools.islice(rows, room), time.sleep)
                self._queue.put(None)  # wake the thread: there are reports to serve
                left -= room
            elif block:
                time.sleep(_PAUSE)
            else:
                self._overflow(left)
                break
        return len(values) - left

    def flush(self, timeout: float = _CLOSE_TIMEOUT) -> int:
        """Wait until nothing is buffered, at most ``timeout`` seconds.

        Returns the number of events that are still buffered.
        """
        deadline = time.monotonic() + timeout
        while (left := self._ledger.waiting) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        return left

    def close(self, timeout: float = _CLOSE_TIMEOUT) -> int:
        """Flush for at most ``timeout`` seconds, drop what is left, end the thread.

        Returns the number of events dropped by it; a second call does nothing.
        """
        if self._ledger.closed == _FORKED:
            return 0
        with self._closing:
            if self._stop.is_set():
                return 0
            self._ledger.close(f"{self!r} is closed: report before close()")
            self.flush(timeout)
            before = self._ledger.stats().dropped.get(DropReason.CLOSED, 0)
            self._stop.set()
            self._queue.put(None)
            self._thread.join(_JOIN_TIMEOUT)
            atexit.unregister(self.close)
            return self._ledger.stats().dropped.get(DropReason.CLOSED, 0) - before

    def _run(self) -> None:
        while not self._stop.is_set():
            # With nothing under way no delivery report can come before a call does.
            if self._handle(self._take(wait=not self._ledger.waiting)):
                self._producer.poll(0)
            else:
                self._gather()
        self._give_up()

    def _gather(self) -> None:
        """Serve delivery reports while more events come: many at a time cost less."""
        begin = time.monotonic()
        self._producer.poll(_POLL)
        rest = begin + _GATHER - time.monotonic()
        if rest > 0 and self._queue.qsize() < _SLICE:
            self._stop.wait(rest)

    def _take(self, *, wait: bool) -> list[_Report | None]:
        """Take what is in the buffer, up to a slice; None only wakes the thread."""
        taken = [self._queue.get()] if wait else []
        with contextlib.suppress(queue.Empty):
            while len(taken) < _SLICE:
                taken.append(self._queue.get_nowait())
        return taken

    def _handle(self, taken: list[_Report | None]) -> bool:
        """Sketch, check, encode and send; tell whether the slice was full."""
        reports = [report for report in taken if report is not None]
        accepted = self._sketched(reports)
        records = event_records(accepted, self._ids, framing=self._framing)
        for record in records:
            if isinstance(record, Exception):
                self._refuse(record)
        good = [record for record in records if not isinstance(record, Exception)]
        self._send(good, self._producer.poll)
        return len(taken) == _SLICE

    def _sketched(self, reports: list[_Report]) -> Iterator[Accepted]:
        contents = [content for _, _, content in reports if content is not None]
        # report() lets no content by without a sketcher.
        made = iter(sketches(cast("Sketcher", self._sketcher), contents))
        for event, received_at, content in reports:
            sketch = None if content is None else next(made)
            if isinstance(sketch, Exception):
                self._drop(DropReason.SKETCH_FAILED, type(sketch).__name__)
            else:
                yield event, received_at // _NANOSECONDS, sketch

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, ContentRefused):
            self._drop(DropReason.REFUSED_CONTENT, "it has a field for text")
        else:
            self._drop(DropReason.INVALID, type(error).__name__)

    def _send(self, records: Iterable[_Encoded], wait: Callable[[float], None]) -> None:
        """Hand accepted events to librdkafka; ``wait`` while its queue is full."""
        send = self._producer.send
        for value, key, timestamp, event_id in records:
            try:
                while not send(value, key, timestamp, event_id):
                    if self._stop.is_set():
                        self._drop(DropReason.CLOSED, _TOO_LATE)
                        break
                    wait(_PAUSE)
            except KafkaException as error:
                self._ledger.refuse()
                self._log.tell("failed", error.args[0].name())
            except (OverflowError, TypeError, ValueError) as error:
                # A time that no calendar has, or a column of a wrong type.
                self._drop(DropReason.INVALID, type(error).__name__)

    def _settle(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._ledger.deliver()
        elif is_purged(error):
            self._drop(DropReason.CLOSED, _TOO_LATE)
        else:
            self._ledger.fail()
            self._log.tell("failed", f"{error.name()}, topic {self._topic}")

    def _give_up(self) -> None:
        """Drop what is left when the reporter is closed."""
        deadline = time.monotonic() + _JOIN_TIMEOUT
        while self._ledger.waiting and time.monotonic() < deadline:
            # Again and again: a caller may be between its acceptance and the queue.
            self._producer.purge()
            with contextlib.suppress(queue.Empty):
                if self._queue.get(timeout=_PAUSE) is not None:
                    self._drop(DropReason.CLOSED, _TOO_LATE)

    def _drop(self, reason: DropReason, detail: str) -> None:
        self._ledger.drop(reason)
        self._log.tell(f"dropped, {reason}", detail)

    def _overflow(self, count: int) -> None:
        self._ledger.overflow(count)
        detail = f"{self._ledger.limit} are waiting for {self._bootstrap}"
        self._log.tell(f"dropped, {DropReason.BUFFER_FULL}", detail, count)


def _abandon_in_child() -> None:
    """After a fork: neither threads nor sockets of a reporter exist in the child."""
    for reporter in list(_reporters):
        reporter._ledger = ReportLedger(1)  # noqa: SLF001  the old lock may be held for good
        reporter._ledger.close(_FORKED)  # noqa: SLF001  same module
        # librdkafka would wait for its threads when it is freed: never free it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(reporter._producer))  # noqa: SLF001  same module


os.register_at_fork(after_in_child=_abandon_in_child)
