"""Stock Faust: an agent that does nothing, and one that runs this engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import faust

from streams.cli.benchmarks.engine_per_event import EnginePerEvent
from streams.cli.benchmarks.measured import Stopwatch, Task, report

__all__ = ["faust_engine", "faust_noop"]


def faust_noop(task: Task) -> NoReturn:
    """Iterate over a stream and do nothing."""
    _run(task, lambda _event: None)


def faust_engine(task: Task) -> NoReturn:
    """Iterate over a stream and give each event to the engine."""
    engine = EnginePerEvent()

    def take(event: Any) -> None:
        message = event.message
        stamp = round(message.timestamp * 1000)
        engine.take(message.partition, message.offset, event.value, stamp)

    _run(task, take)


def _run(task: Task, take: Callable[[Any], None]) -> NoReturn:
    # Stock but for these: where to begin, no port to listen on, and a folder to clear.
    app = faust.App(
        f"faust-{task.run_id}",
        broker=f"kafka://{task.bootstrap}",
        consumer_auto_offset_reset="earliest",
        value_serializer="raw",
        web_enabled=False,
        datadir=task.folder,
    )
    watch = Stopwatch(task.limit, task.seconds, task.broker_pid)
    topic = app.topic("llm.requests", key_type=bytes, value_type=bytes)

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            take(event)
            if watch.tick():
                report(watch.stop())

    app.agent(topic)(agent)
    worker = faust.Worker(app, loglevel="ERROR", redirect_stdouts=False)
    worker.execute_from_commandline()
