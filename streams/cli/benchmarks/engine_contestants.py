"""Ourselves without a broker: the decoder, and the engine with and without it."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.agents.collector import search_seldom
from streams.cli.benchmarks.measured import Measured, Stopwatch, Task
from streams.cli.benchmarks.partitioned import Drive, partition_chunks
from streams.engine import event_intake

__all__ = ["decode_engine", "engine"]

_DECODE: Final = "decode_fields"
_WARM_UP: Final = 20
"""Chunks that a first engine takes before the clock starts: libraries load and fill
their caches once in a process's life."""


def decode_engine(task: Task) -> Measured:
    """Decode chunks and run all stages over them; tell what travels between stages."""
    search_seldom()  # as a worker does
    chunks = partition_chunks(Path(task.traffic), task.limit)
    Drive().run(chunks[:_WARM_UP])
    watch = Stopwatch(task.limit, task.seconds)
    drive = Drive()
    watch.start()
    watch.events = drive.run(chunks)
    measured = watch.stop()
    pipeline = drive.pipeline
    details = {
        "bytes_per_event": pipeline.internal_bytes / watch.events,
        "records_per_event": pipeline.internal_records / watch.events,
    }
    return msgspec.structs.replace(measured, details=details)


def engine(task: Task) -> Measured:
    """Run all stages over chunks that were decoded before the clock starts."""
    search_seldom()
    chunks = partition_chunks(Path(task.traffic), task.limit)
    # The stages decode by this one name, so nothing else of them is touched.
    decode = vars(event_intake)[_DECODE]
    decoded: deque[Any] = deque()

    def record(*arguments: Any, **options: Any) -> Any:
        decoded.append(decode(*arguments, **options))
        return decoded[-1]

    setattr(event_intake, _DECODE, record)
    for run in (chunks[:_WARM_UP], chunks):
        decoded.clear()
        Drive().run(run)
    setattr(event_intake, _DECODE, lambda *_given, **_options: decoded.popleft())
    watch = Stopwatch(task.limit, task.seconds)
    drive = Drive()
    watch.start()
    watch.events = drive.run(chunks)
    return watch.stop()
