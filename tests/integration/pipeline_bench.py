"""Runs the whole pipeline on a real broker, and the same events in memory."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.agents.changelog_topics import ensure_changelogs
from streams.agents.placed_stage import place_stages
from streams.agents.supervisor import Supervisor
from streams.bus.pipeline_position import LAST_STAGE_TOPIC, PipelinePosition
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.config import Config
from streams.contracts import decode_chunk, iter_datums
from streams.engine.replay import Pipeline, replay
from streams.scenarios.scenario import load
from streams.scenarios.simulate import simulate
from streams.sdk import RequestReporter
from streams.sdk.container_loader import count_events, load_container

__all__ = ["PipelineBench", "Published"]

PUBLISHED = ("llm.actions", "llm.alerts", "llm.decisions")
_DEADLINE = 120.0  # s; a broken worker must end the test, a slow one need not
_SCENARIO = Path(__file__).with_name("pipeline.toml")

Published = dict[str, dict[bytes, list[bytes]]]
"""By topic and key the distinct records, in the order of their first appearance."""


class PipelineBench:
    """One broker with the topics, one small scenario, and what comes of it."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.config = Config(
            bootstrap=bootstrap,
            app_id="pipeline",
            flush_interval=0.1,
            session_timeout=6.0,
            idle_timeout=4.0,
        )
        ensure_changelogs(self.config, place_stages(self.config))
        simulate(load(str(_SCENARIO)), folder)
        self.events = folder / "events.avro"
        self.count = count_events(self.events)

    def send(
        self,
        *,
        event_hours_per_second: float = math.inf,
        on_sent: Callable[[int], object] = lambda _count: None,
    ) -> None:
        """Produce all events as a gateway does; ``on_sent`` is told how many so far."""
        sent = 0

        def tell(count: int) -> None:
            nonlocal sent
            sent += count
            on_sent(sent)

        with RequestReporter(self.config.bootstrap, linger=0.005) as reporter:
            speed = event_hours_per_second * 3600
            load_container(self.events, reporter, speed=speed, on_sent=tell)
            assert reporter.flush(60) == 0
        assert reporter.stats.delivered == self.count

    @contextmanager
    def workers(self, count: int) -> Iterator[Supervisor]:
        supervisor = Supervisor(self.config, count, place_stages)
        codes: list[int] = []
        thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
        thread.start()
        try:
            yield supervisor
        finally:
            supervisor.stop()
            thread.join()
        assert codes == [0]

    def wait_until_published(self) -> None:
        """Wait until all minutes are closed that a replay closes at its end."""
        app_id, servers = self.config.app_id, self.config.bootstrap
        frame = decode_chunk("RequestEvent", [*iter_datums(self.events)]).frame
        minute = max(frame["occurred_at"].to_list()) // 60_000 - 1
        deadline = time.monotonic() + _DEADLINE
        with (
            PipelinePosition(servers, app_id) as position,
            RecordsConsumer(
                servers, [LAST_STAGE_TOPIC], from_beginning=True
            ) as consumer,
        ):
            while not position.has_published(minute):
                for record in consumer.records(until_idle=0.1):
                    position.take(record)
                reached = position.closed_minute - minute
                assert time.monotonic() < deadline, f"{-reached} minutes are left"

    def published(self) -> Published:
        """Read what the workers published; a repeat must equal what it repeats."""
        servers = self.config.bootstrap
        with RecordsConsumer(servers, PUBLISHED, from_beginning=True) as consumer:
            records = list(consumer.records(until_idle=1.0))
        seen: dict[tuple[str, str], bytes] = {}
        distinct = []
        for record in records:
            value = record.value or b""  # a tombstone has none
            identity = (record.topic, _event_id(record))
            if identity not in seen:
                distinct.append((record.topic, record.key or b"", value))
            assert seen.setdefault(identity, value) == value
        return _by_key(distinct)

    def replayed(self) -> Published:
        """Run the events of the file through the same stages in memory."""
        outputs = replay(iter_datums(self.events), Pipeline(self.config))
        return _by_key((o.topic, o.key or b"", o.value or b"") for o in outputs)


def _by_key(records: Iterable[tuple[str, bytes, bytes]]) -> Published:
    published: Published = {topic: {} for topic in PUBLISHED}
    for topic, key, value in records:
        published[topic].setdefault(key, []).append(value)
    return published


def _event_id(record: ReceivedRecord) -> str:
    value = dict(record.headers)["ce_id"]
    assert isinstance(value, bytes)
    return value.decode()
