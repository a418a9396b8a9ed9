from __future__ import annotations

import threading

import pytest
from confluent_kafka import Producer

from streams.bus.kafka_settings import producer_settings
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.config import Config
from streams.errors import BrokerUnavailable, TopicMismatch

TOPICS = ["llm.requests", "llm.alerts"]


def publish(bootstrap: str, numbers: range) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for number in numbers:
        producer.produce(
            TOPICS[number % 2],
            None if number == 7 else b"value",
            str(number).encode(),
            timestamp=1000 + number,
            headers=[("ce_id", str(number).encode())],
        )
    assert producer.flush(20) == 0


@pytest.mark.broker
def test_all_records_of_all_partitions_come_with_their_places(topics: str) -> None:
    publish(topics, range(100))
    with RecordsConsumer(topics, TOPICS, from_beginning=True) as consumer:
        records = list(consumer.records(until_idle=1.0))
    assert len({record.place for record in records}) == 100
    by_key = {record.key: record for record in records}
    seventh = by_key[b"7"]
    assert seventh == ReceivedRecord(
        "llm.alerts", 0, 3, 1007, b"7", None, [("ce_id", b"7")]
    )
    assert {(r.topic, r.timestamp) for r in records} == {
        (TOPICS[number % 2], 1000 + number) for number in range(100)
    }
    assert len({r.partition for r in records if r.topic == "llm.requests"}) > 1


@pytest.mark.broker
def test_by_default_only_what_comes_later_is_read_even_before_the_first_look(
    topics: str,
) -> None:
    publish(topics, range(10))
    with RecordsConsumer(topics, TOPICS) as consumer:
        publish(topics, range(10, 20))
        keys = {record.key for record in consumer.records(until_idle=1.0)}
    assert keys == {str(number).encode() for number in range(10, 20)}


@pytest.mark.broker
def test_readers_do_not_disturb_one_another_and_leave_no_group(topics: str) -> None:
    from streams.bus.kafka_settings import admin_client

    publish(topics, range(10))
    found: list[int] = []

    def read() -> None:
        with RecordsConsumer(topics, TOPICS, from_beginning=True) as consumer:
            found.append(sum(1 for _ in consumer.records(until_idle=2.0)))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [10, 10, 10]
    groups = admin_client(topics).list_consumer_groups().result().valid
    assert "distillwatch-reader" not in {group.group_id for group in groups}


@pytest.mark.broker
def test_a_missing_topic_is_named_with_the_way_out(topics: str) -> None:
    with pytest.raises(TopicMismatch, match=r"topic llm\.none .* topics apply"):
        RecordsConsumer(topics, ["llm.alerts", "llm.none"])


def test_a_silent_broker_is_named_with_the_way_out() -> None:
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 .* broker up"):
        RecordsConsumer("127.0.0.1:1", TOPICS)
