"""The stand of the benchmarks: a broker of their own, its topics, and worker processes.

Everything lies in a folder that goes away with the stand.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

import psutil
from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition

from streams.agents.changelog_topics import ensure_changelogs
from streams.agents.placed_stage import place_stages
from streams.bus.broker import DevBroker
from streams.bus.kafka_settings import admin_client, client_settings
from streams.bus.topics import apply_topics
from streams.cli.demo_processes import find_port
from streams.config import ENV_PREFIX, Config
from streams.contracts import load_topics
from streams.errors import BrokerStartFailed, BusError

__all__ = ["REQUESTS", "Offsets", "Stand", "WorkerProcess", "stand"]

REQUESTS: Final = "llm.requests"
READY: Final = " ready: "  # what a worker prints once its partitions are recovered
_READY_TIMEOUT: Final = 120.0  # s; recovery of a million rows on a busy machine
_STOP_TIMEOUT: Final = 20.0  # s; a worker gives up by itself after 15
_STARTS: Final = 3  # of the broker, on different ports
_ANSWER_TIMEOUT: Final = 10.0  # s
_FORGET_TIMEOUT: Final = 15.0  # s until a deleted topic's name is free again
_POLL: Final = 0.02  # s: the grain of what is measured by looking at offsets
_STILL: Final = 2.0  # s; four flush intervals
_LOG_LINES: Final = 12
_WORKER: Final = [sys.executable, "-m", "streams.cli.benchmarks.worker"]


@contextlib.contextmanager
def stand(progress: Callable[[str, str], None]) -> Iterator[Stand]:
    """Start a broker on free ports, with the topics; end and delete it afterwards."""
    with TemporaryDirectory(prefix="distillwatch-stand-") as name:
        folder = Path(name)
        broker = _broker(folder / "broker", progress)
        try:
            pid = broker.status().pid
            if pid is None:
                raise BusError(f"the broker at {broker.bootstrap} has ended")
            apply_topics(broker.bootstrap)
            yield Stand(broker.bootstrap, pid, folder)
        finally:
            broker.down(wipe=True)


def _broker(home: Path, progress: Callable[[str, str], None]) -> DevBroker:
    """Start a broker; a port that another process was faster to take is no failure."""
    port = find_port()
    for tries_left in reversed(range(_STARTS)):
        broker = DevBroker(port, data_dir=home)
        try:
            broker.up(progress)
        except BrokerStartFailed:
            if not tries_left:
                raise
            port = find_port(port + 2)
        else:
            break
    return broker


class Stand:
    """A broker with the topics of topics.toml, and no data at first."""

    def __init__(self, bootstrap: str, broker_pid: int, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.broker_pid = broker_pid
        self.folder = folder
        self._admin = admin_client(bootstrap)
        self._runs = 0

    def run_id(self, name: str) -> str:
        """Give a name that no other run of this stand has."""
        self._runs += 1
        return f"{name}-{self._runs}"

    def config(self, name: str, **settings: float) -> Config:
        """Make settings of a new app; a short session, as workers are killed here."""
        base = Config(bootstrap=self.bootstrap, app_id=self.run_id(name))
        return dataclasses.replace(base, **settings)  # type: ignore[arg-type]  # all are numbers

    def clear(self, *, keep_requests: bool) -> None:
        """Delete what the topics hold, and make them anew."""
        kept = {REQUESTS} if keep_requests else set()
        gone = {name for name in load_topics() if name not in kept}
        answers = self._admin.delete_topics(sorted(gone), request_timeout=30)
        for answer in answers.values():
            answer.result()
        deadline = time.monotonic() + _FORGET_TIMEOUT
        while gone & set(self._admin.list_topics(timeout=_ANSWER_TIMEOUT).topics):
            if time.monotonic() > deadline:
                raise BusError(f"{self.bootstrap} still lists deleted topics")
            time.sleep(_POLL)
        apply_topics(self.bootstrap)

    def worker(self, config: Config, index: int = 0, *, bound: bool) -> WorkerProcess:
        """Start a worker; ``bound`` to one core, or free."""
        ensure_changelogs(config, place_stages(config))
        return WorkerProcess(config, index, self.folder, bound=bound)

    def holdings(self, config: Config) -> dict[str, set[int]]:
        """Give the partitions of llm.requests by client id; none in a rebalance.

        Who holds no partition of any topic is left out.
        """
        asked = self._admin.describe_consumer_groups([config.app_id])
        try:
            group = asked[config.app_id].result()
        except KafkaException:  # nobody has joined yet
            return {}
        if group.state != ConsumerGroupState.STABLE:
            return {}
        return {
            m.client_id: {
                p.partition
                for p in m.assignment.topic_partitions
                if p.topic == REQUESTS
            }
            for m in group.members
            if m.assignment.topic_partitions
        }

    def offsets(self, config: Config) -> Offsets:
        """Look at the offsets of an app's consumer group."""
        return Offsets(config)


class WorkerProcess:
    """A worker as a child of ours; as a context it is stopped at the end."""

    def __init__(
        self, config: Config, index: int, folder: Path, *, bound: bool
    ) -> None:
        names = [field.name for field in dataclasses.fields(Config)]
        ours = {ENV_PREFIX + n.upper(): str(getattr(config, n)) for n in names}
        others = {k: v for k, v in os.environ.items() if not k.startswith(ENV_PREFIX)}
        self._log = folder / f"{config.app_id}-worker-{index}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own command line
                [*_WORKER, str(index), "bound" if bound else "free"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=others | ours,
                start_new_session=True,  # Ctrl-C is for us; we end it in order
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def said(self) -> str:
        """Return what it has printed and logged so far."""
        return self._log.read_text("utf-8", "replace")

    def check(self) -> None:
        """Raise `BusError` with the end of its log if it has ended."""
        code = self._process.poll()
        if code is not None:
            last = "\n".join(self.said().splitlines()[-_LOG_LINES:])
            raise BusError(f"a worker ended with {code}; its last lines are:\n{last}")

    def wait_until_ready(self) -> float:
        """Wait until it has recovered its partitions; give the time by the clock."""
        deadline = time.monotonic() + _READY_TIMEOUT
        while READY not in self.said():
            self.check()
            if time.monotonic() > deadline:
                raise BusError(f"a worker was not ready after {_READY_TIMEOUT:.0f} s")
            time.sleep(_POLL / 2)
        return time.monotonic()

    def resident_bytes(self) -> int:
        """Return the memory that it holds."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def kill(self) -> None:
        """End it with SIGKILL: nothing is flushed, the group is not left."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL if that does not do it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()


class Offsets:
    """Committed offsets of an app, and the ends of its input topics."""

    def __init__(self, config: Config) -> None:
        self._consumer = Consumer(
            client_settings(config)
            | {"group.id": config.app_id, "enable.auto.commit": False}
        )
        topics = load_topics()
        self._inputs = {
            stage.input_topic: topics[stage.input_topic].partitions
            for stage in place_stages(config)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    @property
    def topics(self) -> list[str]:
        """Input topics, in the order of the stages."""
        return list(self._inputs)

    def committed(self, topic: str = REQUESTS) -> list[int]:
        """Give the committed offset of each partition; 0 before the first commit."""
        asked = [TopicPartition(topic, p) for p in range(self._inputs[topic])]
        try:
            answers = self._consumer.committed(asked, timeout=_ANSWER_TIMEOUT)
        except KafkaException:  # the group has no coordinator yet
            return [0] * len(asked)
        return [max(answer.offset, 0) for answer in answers]

    def ends(self, topic: str = REQUESTS) -> list[int]:
        """Give the end of each partition."""
        return [self._end(TopicPartition(topic, p)) for p in range(self._inputs[topic])]

    def _end(self, partition: TopicPartition) -> int:
        deadline = time.monotonic() + _ANSWER_TIMEOUT
        while True:
            try:
                mark = self._consumer.get_watermark_offsets(
                    partition, timeout=_ANSWER_TIMEOUT
                )
            except KafkaException:
                # A topic that was made anew has its leader a moment later.
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)
                self._consumer.list_topics(partition.topic, _ANSWER_TIMEOUT)
            else:
                return int(mark[1]) if mark else 0

    def wait(
        self, topic: str, goal: Sequence[int], workers: Sequence[WorkerProcess],
        *, timeout: float, seen: Callable[[int], object] = lambda _count: None,
    ) -> float:  # fmt: skip
        """Wait until all partitions are committed to their goals; give the time.

        ``seen`` is told the sum of what is committed. Raises `BusError` when a worker
        ends, or after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            committed = self.committed(topic)
            now = time.monotonic()
            seen(sum(committed))
            if all(at >= end for at, end in zip(committed, goal, strict=True)):
                return now
            for worker in workers:
                worker.check()
            if now > deadline:
                left = sum(goal) - sum(committed)
                raise BusError(f"{left:,} records of {topic} are left: {timeout:.0f} s")
            time.sleep(_POLL)

    def wait_until_still(self) -> None:
        """Wait until no stage has committed anything for a while."""
        before: list[list[int]] = []
        while before != (before := [self.committed(topic) for topic in self.topics]):
            time.sleep(_STILL)
