from __future__ import annotations

import struct
from collections import Counter

from aiokafka.partitioner import murmur2
from confluent_kafka import Producer

from streams.bus.kafka_settings import producer_settings
from streams.config import Config


def test_keys_go_to_the_partition_that_aiokafka_and_java_choose(topics: str) -> None:
    producer = Producer(producer_settings(Config(bootstrap=topics)))
    landed: dict[bytes, int] = {}
    for number in range(200):
        producer.produce(
            "llm.requests",
            key=struct.pack(">I", number),
            value=b"",
            on_delivery=lambda _error, message: landed.update(
                {message.key(): message.partition()}
            ),
        )
    assert producer.flush(20) == 0
    expected = {key: (murmur2(key) & 0x7FFFFFFF) % 8 for key in landed}
    assert landed == expected
    assert len(Counter(landed.values())) == 8
