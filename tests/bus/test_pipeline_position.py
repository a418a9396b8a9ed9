from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.bus.kafka_settings import client_settings, producer_settings
from streams.bus.pipeline_position import LAST_STAGE_TOPIC, PipelinePosition
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.config import Config
from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.errors import UndecodableRecord

APP_ID = "positioned"
SOURCES = 4  # partitions of llm.facets


def _batch(source: int, minute: int, *, last: bool = True) -> bytes:
    return encode_batch("MemberLinks", StageBatch(source, 0, last, minute, b""))


def _record(value: bytes | None) -> ReceivedRecord:
    return ReceivedRecord(LAST_STAGE_TOPIC, 0, 0, 0, None, value, [])


def test_a_minute_is_published_when_all_sources_closed_it_and_it_is_committed(
    topics: str,
) -> None:
    config = Config(bootstrap=topics, app_id=APP_ID)
    producer = Producer(producer_settings(config))
    for source in range(SOURCES):
        producer.produce(LAST_STAGE_TOPIC, _batch(source, 20 + source))
    producer.produce(LAST_STAGE_TOPIC, _batch(0, 30, last=False))
    assert producer.flush(20) == 0
    committer = Consumer(client_settings(config) | {"group.id": APP_ID})

    def commit(offset: int) -> None:
        place = TopicPartition(LAST_STAGE_TOPIC, 0, offset)
        committer.commit(offsets=[place], asynchronous=False)

    with (
        PipelinePosition(topics, APP_ID) as position,
        RecordsConsumer(topics, [LAST_STAGE_TOPIC], from_beginning=True) as consumer,
    ):
        assert position.closed_minute == -1
        for count, record in enumerate(consumer.records(until_idle=10.0), 1):
            position.take(record)
            if count == SOURCES + 1:
                break
        assert position.closed_minute == 20  # an unfinished batch closes nothing
        assert not position.has_published(20)
        commit(SOURCES)
        assert not position.has_published(20)
        commit(SOURCES + 1)
        assert position.has_published(20)
        assert not position.has_published(21)
        position.take(_record(_batch(0, 10)))  # a repeat
        assert position.closed_minute == 20
    committer.close()


def test_what_is_no_batch_is_refused(broker: str) -> None:
    with (
        PipelinePosition(broker, APP_ID) as position,
        pytest.raises(UndecodableRecord),
    ):
        position.take(_record(None))
