"""Outputs on a real broker: each where its key belongs, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka.admin import AdminClient, NewTopic

from streams.agents.broker_writer import BrokerWriter
from streams.bus.record_batch import RecordBatch
from streams.engine.stage import Output
from streams.errors import BusError

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


class _SlowProducer:
    """Takes batches as aiokafka's producer does, and answers each after a while."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[int] = []
        self.error = error

    async def send_batch(
        self, batch: RecordBatch, topic: str, *, partition: int
    ) -> asyncio.Future[None]:
        del topic, partition
        self.batches.append(batch.record_count())
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def finish() -> None:
            if self.error is None:
                answer.set_result(None)
            else:
                answer.set_exception(self.error)

        asyncio.get_running_loop().call_later(0.01, finish)
        return answer


def test_what_is_sent_side_by_side_shares_a_batch() -> None:
    async def run() -> list[int]:
        producer = _SlowProducer()
        writer = BrokerWriter(lambda: producer)
        some = [_output("t", n, 0) for n in range(3)]
        first = asyncio.gather(*(writer.send(some) for _ in range(8)))
        await asyncio.sleep(0.005)  # these come while the first are on their way
        await asyncio.gather(first, *(writer.send(some[:1]) for _ in range(5)))
        await writer.send(some[:2])
        return producer.batches

    assert asyncio.run(run()) == [24, 5, 2]


def test_what_goes_wrong_is_told_to_all_that_shared_a_batch() -> None:
    async def run() -> list[object]:
        writer = BrokerWriter(lambda: _SlowProducer(KafkaTimeoutError()))
        sends = (writer.send([_output("t", n, 0)]) for n in range(4))
        return await asyncio.gather(*sends, return_exceptions=True)

    assert [type(result) for result in asyncio.run(run())] == [KafkaTimeoutError] * 4


def test_who_gives_up_sends_nothing_and_leaves_nobody_waiting() -> None:
    async def run() -> list[int]:
        producer = _SlowProducer()
        writer = BrokerWriter(lambda: producer)
        sends = [
            asyncio.create_task(writer.send([_output("t", n, 0)])) for n in range(3)
        ]
        await asyncio.sleep(0.005)  # the first sends what all three have
        late = asyncio.create_task(writer.send([_output("t", 7, 0)]))
        await asyncio.sleep(0)
        for each in (sends[0], late):
            each.cancel()
        results = await asyncio.gather(*sends, late, return_exceptions=True)
        assert [type(result) for result in results] == [
            asyncio.CancelledError,
            BusError,
            BusError,
            asyncio.CancelledError,
        ]
        await writer.send([_output("t", 8, 0)] * 2)
        return producer.batches

    assert asyncio.run(run()) == [3, 2]
