"""What a gateway pays: the call, the reporter's thread, and the sketch of a prompt."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streams.errors import ConfigError
from streams.sdk.request_reporter import RequestReporter
from streams.sketch import Sketcher

__all__ = ["ReporterCost", "SketchCost", "measure_reporter", "measure_sketch"]

_KEY: Final = bytes(range(32))
_DELIVERY_TIMEOUT: Final = 60.0  # s
_MICROSECONDS: Final = 1e6  # in a second
_KILOBYTE: Final = 1000  # characters: of English, as many bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReporterCost:
    """Of one event; the CPU is that of the whole process, librdkafka's threads too."""

    call_us: float
    """Median time that `RequestReporter.report` takes, while its thread works."""

    cpu_us: float
    """CPU time from the call to the acknowledgement of the broker."""

    events_per_second: float
    """From the first call to the last acknowledgement, by one calling thread."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SketchCost:
    """Of one thousand characters; the least of the rounds."""

    many_us: float
    """In a batch, as the reporter sketches under load."""

    one_us: float
    """One prompt at a time."""


def measure_reporter(
    bootstrap: str, events: Sequence[Mapping[str, Any]]
) -> ReporterCost:
    """Report the events to ``llm.requests`` as fast as one thread can.

    Raises `ConfigError` when the broker does not take them all in a minute.
    """
    calls: list[int] = []
    with RequestReporter(bootstrap, max_buffered=len(events) + 1) as reporter:
        reporter.report(events[0])
        reporter.flush(_DELIVERY_TIMEOUT)  # so that the connection stands
        cpu, begin = time.process_time(), time.perf_counter()
        for event in events:
            before = time.perf_counter_ns()
            reporter.report(event)
            calls.append(time.perf_counter_ns() - before)
        left = reporter.flush(_DELIVERY_TIMEOUT)
        seconds, used = time.perf_counter() - begin, time.process_time() - cpu
        if left or reporter.stats.delivered != len(events) + 1:
            raise ConfigError(f"{bootstrap} did not take the events: {reporter.stats}")
    return ReporterCost(
        call_us=statistics.median(calls) / 1000,
        cpu_us=used / len(events) * _MICROSECONDS,
        events_per_second=len(events) / seconds,
    )


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
    sketcher = Sketcher(_KEY, "benchmark")
    sketcher.sketch_many(pieces)  # a gateway's cache of tokens is warm, too
    many, one = [], []
    for _ in itertools.repeat(None, rounds):
        begin = time.thread_time()
        sketcher.sketch_many(pieces)
        between = time.thread_time()
        for piece in pieces:
            sketcher.sketch(piece)
        many.append(between - begin)
        one.append(time.thread_time() - between)
    scale = _MICROSECONDS / len(pieces)
    return SketchCost(many_us=min(many) * scale, one_us=min(one) * scale)
