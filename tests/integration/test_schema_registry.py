"""Events in Confluent's framing go the whole way; they wait for a registry."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

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


def _send(bench: PipelineBench, schema_id: int) -> None:
    """Send in Confluent's framing what goes to odd partitions, else in Avro's."""
    servers = bench.config.bootstrap
    with (
        RequestReporter(servers) as avro,
        RequestReporter(servers, schema_id=schema_id) as confluent,
    ):
        for value in iter_datums(bench.events):
            event = decode("RequestEvent", value)
            odd = partition_of(event["account_id"], PARTITIONS) % 2
            assert (confluent if odd else avro).report(event)
        assert avro.flush(60) == confluent.flush(60) == 0
    assert avro.stats.delivered + confluent.stats.delivered == bench.count
    assert confluent.stats.delivered > bench.count / 4


def test_events_of_both_framings_give_what_a_replay_gives_even_after_an_outage(
    bench: PipelineBench, registry: Apicurio
) -> None:
    avro = json.dumps(schema("RequestEvent"))
    _send(bench, registry.register("llm.requests-value", avro))
    with registry.hanging(), bench.workers(2) as supervisor:
        _outlast_the_watchdog()
        pids = supervisor.pids
    # A worker that waits ends cleanly and at once: `workers` has seen its exit code.
    assert None not in pids
    with bench.workers(2) as supervisor:
        with registry.hanging():
            while None in supervisor.pids:
                time.sleep(0.1)
            pids = supervisor.pids
            _outlast_the_watchdog()
        bench.wait_until_published()
        assert supervisor.pids == pids  # waited, not restarted
    replayed = bench.replayed()
    assert replayed["llm.actions"]
    assert bench.published() == replayed
    with RecordsConsumer(
        bench.config.bootstrap, ["llm.requests.dlq"], from_beginning=True
    ) as consumer:
        assert [*consumer.records(until_idle=1.0)] == []


def _outlast_the_watchdog() -> None:
    """Wait for longer than the watchdog lets a partition stand still."""
    time.sleep(2 * STALL)
