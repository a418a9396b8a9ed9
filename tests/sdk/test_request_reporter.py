from __future__ import annotations

import gc
import io
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

import fastavro
import pytest
from aiokafka.partitioner import DefaultPartitioner

from streams.bus.broker import DevBroker
from streams.bus.cloudevents import CloudEvent, parse
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.bus.topics import apply_topics
from streams.contracts import WriterSchemas, decode, encode, load_topics, schema
from streams.contracts.records import RequestEvent
from streams.errors import ConfigError, ContractError, ReporterClosed
from streams.sdk import RequestReporter
from streams.sketch import Sketcher

TOPIC = "llm.requests"
NOBODY = "127.0.0.1:1"
NOW = 1_760_000_000_000
PASSWORD = "correct-horse-battery"  # noqa: S105  it opens nothing
TEXT = "Solve 2 + 3 = x for x. Let us think step by step about it."
SKETCHER = Sketcher(bytes(range(32)), "test")
MINIMAL: dict[str, Any] = {"account_id": "a-1", "request_model": "m"}


def event(number: int) -> dict[str, Any]:
    return {
        "event_id": f"event-{number}",
        "occurred_at": NOW + number,
        "account_id": f"account-{number % 50}",
        "request_model": "model",
    }


def received(bootstrap: str, topic: str = TOPIC) -> list[ReceivedRecord]:
    with RecordsConsumer(bootstrap, [topic], from_beginning=True) as consumer:
        return list(consumer.records_to_end())


class Columns(TypedDict):
    values: list[bytes]
    keys: list[str]
    timestamps: list[int]
    event_ids: list[str]


def columns(events: Sequence[dict[str, Any]]) -> Columns:
    return {
        "values": [encode("RequestEvent", each) for each in events],
        "keys": [each["account_id"] for each in events],
        "timestamps": [each["occurred_at"] for each in events],
        "event_ids": [each["event_id"] for each in events],
    }


def test_without_a_broker_the_buffer_fills_and_the_rest_is_dropped() -> None:
    with RequestReporter(NOBODY, max_buffered=10) as reporter:
        taken = [reporter.report(MINIMAL) for _ in range(30)]
        assert taken == [True] * 10 + [False] * 20
        stats = reporter.stats
        assert (stats.reported, stats.buffered) == (30, 10)
        assert stats.dropped == {"buffer_full": 20}
        assert reporter.flush(timeout=0.05) == 10
        assert reporter.close(timeout=0) == 10
    stats = reporter.stats
    assert (stats.reported, stats.buffered, stats.delivered) == (30, 0, 0)
    assert stats.dropped == {"buffer_full": 20, "closed": 10}


def test_many_threads_share_a_reporter_and_no_event_is_lost_from_the_counts() -> None:
    reporter = RequestReporter(NOBODY, max_buffered=500)
    took = []

    def report() -> None:
        took.append(sum(reporter.report(MINIMAL) for _ in range(1000)))

    threads = [threading.Thread(target=report) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = reporter.stats
    assert sum(took) == stats.buffered == 500
    assert stats.reported == 8000
    assert stats.dropped == {"buffer_full": 7500}
    assert reporter.close(timeout=0) == 500


def test_what_must_not_go_out_is_dropped_counted_and_told_without_its_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RequestReporter(NOBODY, sketcher=SKETCHER) as reporter:
        for _ in range(3):
            assert reporter.report({**MINIMAL, "prompt": TEXT})
        assert reporter.report({**MINIMAL, "tool_count": TEXT})
        assert reporter.report({**MINIMAL, "occurred_at": 2**62})  # no such year
        assert reporter.report({"request_model": "m"})
        assert reporter.report(MINIMAL, prompt=TEXT, tools=3)
        assert reporter.flush() == 0
        assert reporter.stats.dropped == {
            "refused_content": 3,
            "invalid": 3,
            "sketch_failed": 1,
        }
    told = [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()]
    assert len(told) == 3  # once for each reason
    assert TEXT not in caplog.text


def test_after_close_the_reporter_says_that_it_is_closed() -> None:
    with RequestReporter(NOBODY) as reporter:
        assert repr(reporter).endswith("open)")
    assert repr(reporter).endswith("closed)")
    assert reporter.close() == 0
    with pytest.raises(ReporterClosed, match="before close"):
        reporter.report(MINIMAL)
    with pytest.raises(ReporterClosed):
        reporter.report_encoded(**columns([event(1)]))
    assert reporter.stats.reported == 0


def test_a_prompt_without_a_sketcher_is_a_mistake_of_the_caller() -> None:
    with RequestReporter(NOBODY) as reporter:
        with pytest.raises(ConfigError, match="sketcher") as caught:
            reporter.report(MINIMAL, prompt=TEXT)
        assert TEXT not in str(caught.value)
        assert reporter.stats.reported == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"max_buffered": 0}, "max_buffered"),
        ({"schema_id": -1}, "registry id"),
        ({"kafka_settings": {"partitioner": "consistent"}}, "partitioner"),
        ({"kafka_settings": {"bootstrap.servers": "other:1"}}, "bootstrap.servers"),
        ({"kafka_settings": {"linger": 1}}, "linger"),
        ({"kafka_settings": {"acks": PASSWORD}}, "acks"),
    ],
)
def test_a_wrong_setting_is_named(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises((ConfigError, ContractError), match=told):
        RequestReporter(NOBODY, **arguments)


def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "gateway",
        "sasl.password": PASSWORD,
    }
    with RequestReporter(
        NOBODY, sketcher=SKETCHER, max_buffered=1, kafka_settings=settings
    ) as reporter:
        reporter.report(MINIMAL, prompt=TEXT)
        reporter.report(MINIMAL, prompt=TEXT)
        assert reporter.flush(timeout=0.2) == 1
        shown = f"{reporter!r} {reporter} {reporter.stats}"
        reporter.close(timeout=0)
    for each in (shown, caplog.text):
        assert PASSWORD not in each
        assert TEXT not in each
    assert "waiting for 127.0.0.1:1" in caplog.text


FORK = """
import os, sys
from streams.errors import ReporterClosed
from streams.sdk import RequestReporter

reporter = RequestReporter("127.0.0.1:1")
if os.fork() == 0:
    try:
        reporter.report({})
    except ReporterClosed as error:
        print(error, reporter.close(), flush=True)
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]), reporter.close(0))
"""


def test_in_a_forked_child_the_reporter_is_closed_and_does_not_hang_its_end() -> None:
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=True
    )
    child, parent = done.stdout.splitlines()
    assert child.endswith("make one in each process, after it 0")
    assert parent == "7 0"


@pytest.mark.broker
def test_an_event_arrives_with_its_key_partition_time_and_headers(topics: str) -> None:
    events = [event(number) for number in range(200)]
    started = int(time.time() * 1000) - 1000  # the broker's clock is this machine's
    with RequestReporter(topics, source="urn:example:edge") as reporter:
        for each in events[:100]:
            assert reporter.report(each)
        for each in events[100:]:
            assert reporter.report(RequestEvent(**each))
        assert reporter.flush() == 0
        stats = reporter.stats
    assert (stats.reported, stats.delivered, stats.failed) == (200, 200, 0)
    assert stats.dropped == {}

    partitions = [*range(load_topics()[TOPIC].partitions)]
    java = DefaultPartitioner()
    records = received(topics)
    assert len({record.partition for record in records}) == len(partitions)
    seen = {}
    for record in records:
        assert record.key is not None
        assert record.value is not None
        fields = decode("RequestEvent", record.value)
        seen[fields["event_id"]] = fields
        assert record.key.decode() == fields["account_id"]
        assert record.partition == java(record.key, partitions, partitions)
        assert record.timestamp >= started
        assert parse(record.headers) == CloudEvent(
            fields["event_id"],
            "io.distillwatch.RequestEvent",
            "urn:example:edge",
            fields["occurred_at"],
        )
        # A reader that knows the schema and nothing of distillwatch reads it too.
        datum = io.BytesIO(record.value[10:])
        plain: Any = fastavro.schemaless_reader(datum, schema("RequestEvent"))
        assert plain["event_id"] == fields["event_id"]
        assert plain["occurred_at"].timestamp() * 1000 == fields["occurred_at"]
    for each in events:
        assert each.items() <= seen[each["event_id"]].items()
    per_account: dict[bytes | None, list[int]] = {}
    for record in records:
        per_account.setdefault(record.key, []).append(record.offset)
    assert all(times == sorted(times) for times in per_account.values())


@pytest.mark.broker
def test_with_a_schema_id_the_value_has_confluents_framing(topics: str) -> None:
    with RequestReporter(topics, schema_id=258) as reporter:
        reporter.report(event(1))
    (record,) = received(topics)
    assert record.value is not None
    assert record.value[:5] == bytes([0, 0, 0, 1, 2])
    writers = WriterSchemas("RequestEvent")
    writers.add_id(258, schema("RequestEvent"))
    assert (
        decode("RequestEvent", record.value, writers=writers)["event_id"] == "event-1"
    )


class Text(str):
    """A string that a weak reference can point to."""

    __slots__ = ("__weakref__",)


@pytest.mark.broker
def test_of_a_prompt_only_the_sketch_leaves_and_nothing_is_kept(topics: str) -> None:
    prompt, system = Text(TEXT), Text("You are a careful tutor of mathematics.")
    expected = SKETCHER.sketch(TEXT, system=str(system), turns=["a", "b"])
    gone = [weakref.ref(prompt), weakref.ref(system)]
    with RequestReporter(topics, sketcher=SKETCHER) as reporter:
        reporter.report(MINIMAL, prompt=prompt, system=system, turns=["a", "b"])
        del prompt, system
        assert reporter.flush() == 0
        gc.collect()
        assert [each() for each in gone] == [None, None]
    (record,) = received(topics)
    assert record.value is not None
    assert decode("RequestEvent", record.value)["sketch"] == bytes(expected)
    assert b"step by step" not in record.value


@pytest.mark.broker
def test_encoded_events_wait_for_room_and_all_arrive(topics: str) -> None:
    events = [event(number) for number in range(5000)]
    rows = columns(events)
    with RequestReporter(topics, max_buffered=300) as reporter:
        assert reporter.report_encoded(**rows) == 5000
        assert reporter.flush() == 0
        assert reporter.stats.delivered == reporter.stats.reported == 5000
    records = received(topics)
    assert sorted(r.value for r in records if r.value) == sorted(rows["values"])
    assert all(r.key and r.key.startswith(b"account-") for r in records)


def test_encoded_events_that_find_no_room_are_dropped_unless_the_caller_waits() -> None:
    rows = columns([event(number) for number in range(50)])
    with RequestReporter(NOBODY, max_buffered=20) as reporter:
        assert reporter.report_encoded(**rows, block=False) == 20
        assert reporter.stats.dropped == {"buffer_full": 30}
        errors: list[Exception] = []

        def wait() -> None:
            try:
                reporter.report_encoded(**rows)
            except ReporterClosed as error:
                errors.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        assert reporter.close(timeout=0.1) == 20
        thread.join()
        assert len(errors) == 1
    assert reporter.stats.buffered == 0


@pytest.mark.broker
def test_what_kafka_refuses_is_counted_as_failed(
    topics: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = columns([event(1)])
    rows["values"] = [bytes(2_000_000)]  # more than message.max.bytes
    with RequestReporter(topics) as reporter:
        reporter.report_encoded(**rows)
        assert reporter.flush() == 0
        assert reporter.stats.failed == 1
    settings = {"topic.metadata.propagation.max.ms": 10}
    with RequestReporter(topics, topic="gone", kafka_settings=settings) as reporter:
        reporter.report(event(1))
        assert reporter.flush() == 0
        assert reporter.stats.failed == 1
    assert "MSG_SIZE_TOO_LARGE" in caplog.text
    assert "topic gone" in caplog.text


@pytest.mark.broker
def test_delivery_resumes_when_the_broker_is_back(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    port, controller_port = free_ports(2)
    broker = DevBroker(port, controller_port, tmp_path / "home")
    try:
        apply_topics(broker.up())
        with RequestReporter(broker.bootstrap, max_buffered=100) as reporter:
            reporter.report(event(0))
            assert reporter.flush() == 0
            broker.down()
            taken = [reporter.report(event(number)) for number in range(1, 151)]
            assert sum(taken) == 100
            assert reporter.flush(timeout=0.3) == 100
            broker.up()
            assert reporter.flush(timeout=60) == 0
            assert reporter.report(event(151))
            assert reporter.flush(timeout=60) == 0
            assert reporter.stats.delivered == 102
            assert reporter.stats.dropped == {"buffer_full": 50}
        ids = [parse(record.headers).event_id for record in received(broker.bootstrap)]
        assert sorted(ids) == sorted(f"event-{n}" for n in (*range(101), 151))
    finally:
        broker.down()


UNCLOSED = """
import sys
import time
from streams.sdk import RequestReporter

reporter = RequestReporter(sys.argv[1])
for _ in range(10):
    reporter.report({"account_id": "a", "request_model": "m"})
"""


@pytest.mark.broker
def test_an_unclosed_reporter_delivers_at_the_end_of_the_process(topics: str) -> None:
    command = [sys.executable, "-c", UNCLOSED, topics]
    subprocess.run(command, check=True)  # noqa: S603  our own script
    assert len(received(topics)) == 10
