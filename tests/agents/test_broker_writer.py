"""Outputs on a real broker: each where its key belongs, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka.admin import AdminClient, NewTopic

from streams.agents.broker_writer import BrokerWriter
from streams.engine.stage import Output

_PARTITIONS = 5


@pytest.fixture(scope="module")
def topic(broker: str) -> str:
    name = "broker-writer"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(name, _PARTITIONS, 1)])[name].result()
    return name


def _output(topic: str, number: int, partition: int | None) -> Output:
    key = f"account:ä{number % 40}".encode()
    value = None if number % 9 == 0 else b"%d" % number
    return Output(topic, partition, key, value, number, f"id-{number}", "test")


async def _written(broker: str, topic: str, outputs: list[Output]) -> list[Any]:
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await BrokerWriter(lambda: producer).send(outputs)
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=broker, auto_offset_reset="earliest"
    ) as consumer:
        found: list[Any] = []
        while len(found) < len(outputs):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
    return found


def test_outputs_lie_where_their_keys_belong_in_the_order_of_sending(
    broker: str, topic: str
) -> None:
    outputs = [_output(topic, n, None if n % 3 else n % 2) for n in range(3000)]
    found = asyncio.run(_written(broker, topic, outputs))
    home, partitions = DefaultPartitioner(), list(range(_PARTITIONS))
    for partition in partitions:
        expected = [
            (output.key, output.value, output.event_id.encode())
            for output in outputs
            if output.partition == partition
            or (
                output.partition is None
                and home(output.key, partitions, partitions) == partition
            )
        ]
        assert [
            (record.key, record.value, dict(record.headers)["ce_id"])
            for record in sorted(found, key=lambda record: record.offset)
            if record.partition == partition
        ] == expected


def test_many_that_send_to_one_partition_have_their_turns(broker: str) -> None:
    name = "broker-writer-turns"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()

    async def run() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=broker, request_timeout_ms=5000
        ) as producer:
            writer = BrokerWriter(lambda: producer)
            # Without turns aiokafka takes 2 + 4 + 6 + ... ms off the last one's time.
            await asyncio.gather(
                *(writer.send([_output(name, number, 0)]) for number in range(400))
            )

    asyncio.run(run())
