from __future__ import annotations

import os

from streams.cli.benchmarks.measured import Stopwatch, cpu_seconds


def test_the_first_record_starts_the_clock_and_does_not_count() -> None:
    watch = Stopwatch(limit=3, seconds=1000.0)
    assert [watch.tick() for _ in range(4)] == [False, False, False, True]
    measured = watch.stop()
    assert measured.events == 3
    assert measured.seconds > 0


def test_it_ends_when_the_time_is_over() -> None:
    watch = Stopwatch(limit=1 << 40, seconds=0.0)
    ticks = 1
    while not watch.tick():
        ticks += 1
    assert watch.stop().events == ticks - 1 <= 64 * 2


def test_processor_time_of_this_process_rises() -> None:
    before = cpu_seconds([os.getpid()])
    total = 0
    while cpu_seconds([os.getpid()]) == before:
        total += sum(range(10_000))
    assert total > 0
