"""Events in Confluent's framing go the whole way; they wait for a registry."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apicurio import Apicurio
from pipeline_bench import PipelineBench

from streams.bus.records_consumer import RecordsConsumer
from streams.contracts import decode, iter_datums, schema
from streams.engine.murmur2 import partition_of
from streams.sdk import RequestReporter

PARTITIONS = 8
STALL = 6.0  # s


@pytest.fixture
def bench(topics: str, registry: Apicurio, tmp_path: Path) -> PipelineBench:
    bench = PipelineBench(topics, tmp_path)
    bench.config = dataclasses.replace(
        bench.config, registry_url=registry.url, stall_timeout=STALL
    )
    return bench


def test_events_of_both_framings_give_what_a_replay_gives_even_after_an_outage(
    bench: PipelineBench, registry: Apicurio
) -> None:
    schema_id = registry.register("llm.requests-value", _avro())
    _send(bench, [e for e in _events(bench) if not _is_odd(e)])
    with bench.workers(1) as supervisor:
        with registry.hanging():
            _wait_for_sums(
                bench
            )  # even partitions are ahead, odd ones read to their end
            pids = supervisor.pids
            _send(bench, [e for e in _events(bench) if _is_odd(e)], schema_id)
            time.sleep(2 * STALL)  # longer than the watchdog and the idle rule allow
        bench.wait_until_published()
        assert supervisor.pids == pids  # it waited and was not restarted
    replayed = bench.replayed()
    assert replayed["llm.actions"]
    assert bench.published() == replayed
    with RecordsConsumer(
        bench.config.bootstrap, ["llm.requests.dlq"], from_beginning=True
    ) as consumer:
        assert [*consumer.records(until_idle=1.0)] == []


def test_a_worker_that_waits_for_a_registry_still_ends_cleanly(
    bench: PipelineBench, registry: Apicurio
) -> None:
    schema_id = registry.register("llm.requests-value", _avro())
    _send(bench, [e for e in _events(bench) if not _is_odd(e)])
    with registry.hanging(), bench.workers(1) as supervisor:
        _wait_for_sums(bench)
        _send(bench, [e for e in _events(bench) if _is_odd(e)], schema_id)
        time.sleep(STALL)
        assert None not in supervisor.pids
    # `workers` has seen that the exit code is 0.


def _avro() -> str:
    return json.dumps(schema("RequestEvent"))


def _events(bench: PipelineBench) -> Iterator[dict[str, Any]]:
    for value in iter_datums(bench.events):
        yield decode("RequestEvent", value)


def _is_odd(event: dict[str, Any]) -> bool:
    return partition_of(event["account_id"], PARTITIONS) % 2 == 1


def _send(
    bench: PipelineBench, events: list[dict[str, Any]], schema_id: int | None = None
) -> None:
    assert len(events) > bench.count / 4
    with RequestReporter(bench.config.bootstrap, schema_id=schema_id) as reporter:
        for event in events:
            assert reporter.report(event)
        assert reporter.flush(60) == 0
    assert reporter.stats.delivered == len(events)


def _wait_for_sums(bench: PipelineBench) -> None:
    """Wait until a worker has closed minutes of the events sent so far."""
    servers = bench.config.bootstrap
    with RecordsConsumer(servers, ["llm.facets"], from_beginning=True) as consumer:
        assert next(consumer.records(until_idle=60.0), None) is not None
