from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Producer

from streams.bus.cloudevents import CloudEvent, parse
from streams.bus.control_log import append_entries, read_entries, withdraw
from streams.bus.kafka_settings import admin_client, producer_settings
from streams.bus.records_consumer import RecordsConsumer, newest_records
from streams.config import Config
from streams.contracts import ControlEntry, encode_record
from streams.errors import BrokerUnavailable, BusError, InvalidRecord, TopicMismatch

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC


def entry(number: int, **changes: Any) -> ControlEntry:
    fields = {
        "entry_id": f"allowlist:account:{number}",
        "kind": "allowlist",
        "subject": f"account:{number}",
        "author": "ana",
        "reason": "known",
        "created_at": NOON + number,
    }
    return ControlEntry(**fields | changes)


def publish(bootstrap: str, key: str, value: bytes) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    producer.produce("llm.control", value, key)
    assert producer.flush(20) == 0


@pytest.mark.broker
def test_the_newest_entry_of_each_id_stands_and_a_withdrawn_one_is_gone(
    topics: str,
) -> None:
    assert read_entries(topics) == {}
    counts: list[int] = []
    append_entries(topics, [entry(n) for n in range(5)], on_acknowledged=counts.append)
    assert counts == [1] * 5
    newer = entry(1, reason="still known", created_at=NOON + 99)
    append_entries(topics, [newer])
    withdraw(topics, ["allowlist:account:2", "never:there"])
    expected = [entry(0), entry(3), entry(4), newer]
    assert list(read_entries(topics).values()) == expected
    append_entries(topics, [entry(2)])
    assert read_entries(topics)["allowlist:account:2"] == entry(2)


@pytest.mark.broker
def test_nothing_to_write_needs_no_broker_and_entries_are_cloud_events(
    topics: str,
) -> None:
    append_entries("127.0.0.1:1", [])
    withdraw("127.0.0.1:1", [])
    append_entries(topics, [entry(7)])
    with RecordsConsumer(topics, ["llm.control"], from_beginning=True) as consumer:
        (record,) = consumer.records_to_end()
    assert parse(record.headers) == CloudEvent(
        f"allowlist:account:7@{NOON + 7}",
        "io.distillwatch.ControlEntry",
        "urn:distillwatch:operator",
        NOON + 7,
    )


@pytest.mark.broker
def test_an_entry_that_cannot_be_read_is_named_with_its_place(topics: str) -> None:
    append_entries(topics, [entry(0)])
    publish(topics, "another key", encode_record(entry(1)))
    publish(topics, "no entry", b"\x01")
    with pytest.raises(InvalidRecord, match=r"^llm\.control\[0\]@1: the key is not"):
        read_entries(topics)
    told: list[str] = []
    found = read_entries(topics, on_unreadable=told.append)
    assert list(found.values()) == [entry(0)]
    places = ["llm.control[0]@1", "llm.control[0]@2"]
    assert [each.split(":")[0] for each in told] == places


@pytest.mark.broker
def test_an_entry_that_is_too_large_is_refused_by_name(topics: str) -> None:
    large = entry(1, kind="policy", value="x" * 2_000_000)
    with pytest.raises(BusError, match=r"entry allowlist:account:1: .*too large"):
        append_entries(topics, [entry(0), large])
    assert list(read_entries(topics).values()) == [entry(0)]


@pytest.mark.broker
def test_a_missing_topic_is_named_and_not_made(broker: str) -> None:
    for attempt in (
        lambda: append_entries(broker, [entry(0)]),
        lambda: withdraw(broker, ["x"]),
        lambda: read_entries(broker),
    ):
        with pytest.raises(TopicMismatch, match=r"llm\.control .*topics apply"):
            attempt()
    assert "llm.control" not in admin_client(broker).list_topics(timeout=10).topics


def test_a_silent_broker_is_named_with_the_way_out() -> None:
    with pytest.raises(
        BrokerUnavailable, match=r"127\.0\.0\.1:1 .*nothing was written"
    ):
        append_entries("127.0.0.1:1", [entry(0)])


@pytest.mark.broker
def test_a_compacted_topic_of_many_partitions_is_read_to_its_end(topics: str) -> None:
    producer = Producer(producer_settings(Config(bootstrap=topics)))
    for number in range(3000):
        value = None if number % 3 == 0 and number >= 1500 else str(number).encode()
        producer.produce("llm.actions", value, f"key-{number % 1500}")
    assert producer.flush(20) == 0
    found = newest_records(topics, "llm.actions")
    assert {key: record.value for key, record in found.items()} == {
        f"key-{number}".encode(): str(number + 1500).encode()
        for number in range(1500)
        if (number + 1500) % 3
    }
