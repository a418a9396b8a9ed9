"""The whole pipeline on the stand: workers read a backlog, and are measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import msgspec

from streams.bus.pipeline_position import LAST_STAGE_TOPIC, PipelinePosition
from streams.bus.records_consumer import RecordsConsumer
from streams.cli.benchmarks.measured import Measured, cpu_seconds
from streams.cli.benchmarks.stand import REQUESTS, Stand
from streams.config import Config
from streams.errors import BusError

__all__ = ["PipelineRun", "run_backlog"]

_TIMEOUT: Final = 300.0  # s for a backlog
_SHARED_TIMEOUT: Final = 60.0  # s until all workers hold partitions
_POLL: Final = 0.05  # s


class PipelineRun(msgspec.Struct, frozen=True):
    """What workers did with a backlog of llm.requests.

    ``measured`` ends when the backlog is committed; ``drain_seconds`` later every stage
    had committed what came of it, up to alerts and actions. ``published`` ends then.
    """

    measured: Measured
    drain_seconds: float
    workers: int
    published: Measured


def run_backlog(
    stand: Stand,
    config: Config,
    workers: int = 1,
    *,
    last_minute: int,
    bound: bool = True,
    progress: Callable[[int], object] = lambda _count: None,
) -> PipelineRun:
    """Let workers process all of llm.requests; measure from when all hold partitions.

    The last minute stays open, as on a topic that goes on, and with it the last chunk
    of each partition, since a chunk is committed as a whole. So the clock stops when
    all but that is committed, and only what is committed counts. Where the first worker
    has done most before the others hold anything, the clock starts with the first.
    """
    with ExitStack() as stack:
        offsets = stack.enter_context(stand.offsets(config))
        goal = [max(end - config.chunk_records, 1) for end in offsets.ends()]
        team = [
            stack.enter_context(stand.worker(config, index, bound=bound))
            for index in range(workers)
        ]
        pids = [worker.pid for worker in team]

        def reading() -> tuple[float, float, float, int]:
            used, broker = cpu_seconds(pids), cpu_seconds([stand.broker_pid])
            return time.monotonic(), used, broker, sum(offsets.committed())

        team[0].wait_until_ready()
        began, used, broker, before = reading()
        if workers > 1:
            for worker in team[1:]:
                worker.wait_until_ready()
            _wait_until_shared(stand, config, workers)
            if sum(offsets.committed()) < sum(goal) / 2:
                began, used, broker, before = reading()
        ended = offsets.wait(REQUESTS, goal, team, timeout=_TIMEOUT, seen=progress)
        events = sum(offsets.committed()) - before

        def until(end: float) -> Measured:
            taken = cpu_seconds(pids) - used
            return Measured(
                events, end - began, taken, cpu_seconds([stand.broker_pid]) - broker
            )

        measured = until(ended)
        drained = _wait_until_published(config, last_minute)
        published = until(drained)
    return PipelineRun(measured, drained - ended, workers, published)


def _wait_until_published(config: Config, minute: int) -> float:
    servers, deadline = config.bootstrap, time.monotonic() + _TIMEOUT
    with (
        PipelinePosition(servers, config.app_id) as position,
        RecordsConsumer(servers, [LAST_STAGE_TOPIC], from_beginning=True) as consumer,
    ):
        while not position.has_published(minute):
            for record in consumer.records(until_idle=0.0):
                position.take(record)
            if time.monotonic() > deadline:
                raise BusError(f"not all was published after {_TIMEOUT:.0f} s")
    return time.monotonic()


def _wait_until_shared(stand: Stand, config: Config, workers: int) -> None:
    deadline = time.monotonic() + _SHARED_TIMEOUT
    while len(stand.holdings(config)) < workers and time.monotonic() < deadline:
        time.sleep(_POLL)
