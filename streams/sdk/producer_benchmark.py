"""What a gateway pays: the call, the reporter's thread, and the sketch of a prompt."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from streams.errors import ConfigError
from streams.sdk.request_reporter import REPORTER_THREAD, RequestReporter
from streams.sketch import Sketcher

__all__ = ["ReporterCost", "SketchCost", "measure_reporter", "measure_sketch"]

_KEY: Final = bytes(range(32))
_DELIVERY_TIMEOUT: Final = 60.0  # s
_MICROSECONDS: Final = 1e6  # in a second
_AHEAD: Final = 20_000  # events: the broker's answer takes a fifth of a second at most
_LOOK: Final = 1000  # events between two looks at how many wait
_PAUSE: Final = 0.001  # s
_KILOBYTE: Final = 1000  # characters: of English, as many bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReporterCost:
    """Of one event; the CPU is that of the whole process, librdkafka's threads too."""

    call_us: float
    """Median time that `RequestReporter.report` takes, while its thread works."""

    cpu_us: float
    """CPU time from the call to the acknowledgement of the broker."""

    interpreter_us: float
    """Of it in the calling and the reporter's thread: they take turns, so the machine
    allows no more events than go into a second of it, however many cores it has."""

    events_per_second: float
    """From the first call to the last acknowledgement, by one calling thread."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SketchCost:
    """Of one thousand characters; the least of the rounds."""

    many_us: float
    """In a batch, as the reporter sketches under load, all words known."""

    fresh_us: float
    """In a batch of texts never seen, after as much text of the same kind."""

    one_us: float
    """One prompt at a time."""


def measure_reporter(
    bootstrap: str, events: Sequence[Mapping[str, Any]]
) -> ReporterCost:
    """Report the events to ``llm.requests`` as fast as the reporter keeps up.

    Raises `ConfigError` when the broker does not take them all in a minute.
    """
    calls: list[int] = []
    # The events are no part of a gateway's memory that its collector would go through.
    gc.collect()
    gc.freeze()
    with RequestReporter(bootstrap, max_buffered=len(events) + 1) as reporter:
        reporter.report(events[0])
        reporter.flush(_DELIVERY_TIMEOUT)  # so that the connection stands
        held, cpu, begin = _held(), time.process_time(), time.perf_counter()
        for start in range(0, len(events), _LOOK):
            while reporter.stats.buffered > _AHEAD:
                time.sleep(_PAUSE)
            for event in events[start : start + _LOOK]:
                before = time.perf_counter_ns()
                reporter.report(event)
                calls.append(time.perf_counter_ns() - before)
        left = reporter.flush(_DELIVERY_TIMEOUT)
        seconds, used = time.perf_counter() - begin, time.process_time() - cpu
        held = _held() - held
        if left or reporter.stats.delivered != len(events) + 1:
            raise ConfigError(f"{bootstrap} did not take the events: {reporter.stats}")
    gc.unfreeze()
    return ReporterCost(
        call_us=statistics.median(calls) / 1000,
        cpu_us=used / len(events) * _MICROSECONDS,
        interpreter_us=held / len(events) * _MICROSECONDS,
        events_per_second=len(events) / seconds,
    )


def _held() -> float:
    """Give the CPU seconds of this thread and of reporters'."""
    own = time.thread_time()
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.process_time()  # not on Windows: the library's threads included
    clocks = [
        time.pthread_getcpuclockid(thread.ident)
        for thread in threading.enumerate()
        if thread.name == REPORTER_THREAD and thread.ident
    ]
    return own + sum(map(time.clock_gettime, clocks))


def measure_sketch(prompts: Sequence[str], *, rounds: int = 5) -> SketchCost:
    """Sketch the prompts, cut and joined to pieces of a thousand characters.

    >>> cost = measure_sketch(["Solve 2 + 3 = x for x. " * 100], rounds=1)
    >>> cost.many_us > 0 and cost.one_us > 0
    True
    """
    text = "\n".join(prompts)
    starts = range(0, len(text) - _KILOBYTE + 1, _KILOBYTE)
    pieces = [text[start : start + _KILOBYTE] for start in starts]
    if not pieces:
        raise ConfigError(f"the prompts have less than {_KILOBYTE} characters")
    known, measured = pieces[::2], pieces[1::2] or pieces
    fresh, many, one = [], [], []
    for _ in itertools.repeat(None, rounds):
        sketcher = Sketcher(_KEY, "benchmark")
        sketcher.sketch_many(known)  # a gateway's cache of words is warm, too
        fresh.append(_seconds(lambda: sketcher.sketch_many(measured)))  # noqa: B023  called at once
        many.append(_seconds(lambda: sketcher.sketch_many(measured)))  # noqa: B023  called at once
        one.append(_seconds(lambda: [*map(sketcher.sketch, measured)]))  # noqa: B023  called at once
    scale = _MICROSECONDS / len(measured)
    return SketchCost(
        many_us=min(many) * scale, fresh_us=min(fresh) * scale, one_us=min(one) * scale
    )


def _seconds(work: Callable[[], object]) -> float:
    begin = time.thread_time()
    work()
    return time.thread_time() - begin
