"""Quix Streams at its defaults: nothing, one stateful counter, and this engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streams.cli.benchmarks.engine_per_event import EnginePerEvent
from streams.cli.benchmarks.measured import Measured, Stopwatch, Task

__all__ = ["quix_counter", "quix_engine", "quix_noop"]


class _Race:
    """One application that ends when the stopwatch says so."""

    def __init__(self, task: Task) -> None:
        # A peer: only the group `bench` has it, and no other module must need it.
        from quixstreams import Application  # type: ignore[import-not-found,unused-ignore]  # same

        self._app = Application(
            broker_address=task.bootstrap,
            consumer_group=f"quix-{task.run_id}",
            auto_offset_reset="earliest",
            state_dir=task.folder,
            loglevel="ERROR",
        )
        self._watch = Stopwatch(task.limit, task.seconds, task.broker_pid)
        self._result: Measured | None = None
        self.stream = self._app.dataframe(
            self._app.topic("llm.requests", value_deserializer="bytes")
        )

    def run(self) -> Measured:
        self.stream.update(self._tick)
        self._app.run()
        if self._result is None:
            raise RuntimeError("the application ended before its time")
        return self._result

    def _tick(self, _value: Any) -> None:
        if self._watch.tick() and self._result is None:
            self._result = self._watch.stop()
            self._app.stop()


def quix_noop(task: Task) -> Measured:
    """Take each event and do nothing."""
    return _Race(task).run()


def quix_counter(task: Task) -> Measured:
    """Count the events of each account in Quix's state, which is RocksDB."""

    def count(_value: bytes, _key: bytes, _time: int, _headers: Any, s: Any) -> None:
        s.set("events", s.get("events", 0) + 1)

    return _stateful(task, count)


def quix_engine(task: Task) -> Measured:
    """Give each event to the engine, and keep the account's position in the state."""
    from quixstreams import message_context  # type: ignore[import-not-found,unused-ignore]  # same

    engine = EnginePerEvent()

    def take(value: bytes, _key: bytes, time: int, _headers: Any, state: Any) -> None:
        context = message_context()
        engine.take(context.partition, context.offset, value, time)
        state.set("offset", context.offset)

    return _stateful(task, take)


def _stateful(task: Task, take: Callable[..., None]) -> Measured:
    race = _Race(task)
    race.stream = race.stream.update(take, stateful=True, metadata=True)
    return race.run()
