"""Whole answers as columns, against a real broker and aiokafka's own reading of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CorruptRecordException
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from faust.types import TP

from streams.agents.broker_answers import BrokerAnswers

_COUNT = 3000


@pytest.fixture(scope="module")
def topic(broker: str) -> str:
    name = "broker-answers"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result()
    producer = Producer({"bootstrap.servers": broker, "compression.type": "lz4"})
    for n in range(_COUNT):
        headers: list[tuple[str, str | bytes | None]] = [("n", b"%d" % n), ("x", None)]
        value = None if n % 7 == 0 else b"v" * (n % 500)
        producer.produce(name, value, b"%d" % n, n % 2, headers=headers)
    assert producer.flush(30) == 0
    return name


@asynccontextmanager
async def _consumer(broker: str, topic: str) -> AsyncIterator[tuple[Any, list[TP]]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tps = [TP(topic, 0), TP(topic, 1)]
        consumer.assign(tps)
        yield consumer, tps
    finally:
        await consumer.stop()


async def _all(consumer: Any, answers: BrokerAnswers, tps: list[TP]) -> dict[TP, Any]:
    found: dict[TP, list[Any]] = {tp: [] for tp in tps}
    while sum(map(len, found.values())) < _COUNT:
        with consumer._fetcher._subscriptions.fetch_context():
            for tp, columns in answers.take(frozenset(tps), _COUNT).items():
                found[tp] += [
                    (o, t, k, v, tuple(h))
                    for o, v, t, k, h in zip(*columns, strict=True)
                ]
        await asyncio.sleep(0.01)
    return found


async def _as_aiokafka(consumer: Any, tps: list[TP]) -> dict[TP, Any]:
    found: dict[TP, list[Any]] = {tp: [] for tp in tps}
    while sum(map(len, found.values())) < _COUNT:
        for tp, records in (await consumer.getmany(timeout_ms=500)).items():
            found[TP(*tp)] += [
                (r.offset, r.timestamp, r.key, r.value, r.headers) for r in records
            ]
    return found


def test_all_records_come_once_in_order_and_positions_follow(
    broker: str, topic: str
) -> None:
    async def run() -> None:
        async with _consumer(broker, topic) as (consumer, tps):
            expected = await _as_aiokafka(consumer, tps)
        async with _consumer(broker, topic) as (consumer, tps):
            answers = BrokerAnswers(consumer._fetcher, longest_poll=0.05)
            assert await _all(consumer, answers, tps) == expected
            for tp in tps:
                assert await consumer.position(tp) == _COUNT // 2
            consumer.seek(tps[1], 700)
            consumer.seek(tps[0], 1500)
            again: list[int] = []
            while len(again) < 800:
                with consumer._fetcher._subscriptions.fetch_context():
                    for columns in answers.take(frozenset(tps), _COUNT).values():
                        again += columns.offsets
                await asyncio.sleep(0.01)
            assert again == [*range(700, 1500)]

    asyncio.run(run())


def test_what_cannot_be_read_as_columns_is_read_by_aiokafka(
    broker: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with _consumer(broker, topic) as (consumer, tps):
            expected = await _as_aiokafka(consumer, tps)
        monkeypatch.setattr(
            "streams.agents.broker_answers.read_records", lambda *_: None
        )
        async with _consumer(broker, topic) as (consumer, tps):
            answers = BrokerAnswers(consumer._fetcher, longest_poll=0.05)
            assert await _all(consumer, answers, tps) == expected

    asyncio.run(run())


def test_a_damaged_answer_is_told_by_aiokafka(broker: str, topic: str) -> None:
    async def run() -> None:
        async with _consumer(broker, topic) as (consumer, tps):
            answers = BrokerAnswers(_Damaging(consumer._fetcher), longest_poll=0.05)
            with pytest.raises(CorruptRecordException):
                await _all(consumer, answers, tps)

    asyncio.run(run())


def test_partitions_that_are_not_wanted_wait(broker: str, topic: str) -> None:
    async def run() -> None:
        async with _consumer(broker, topic) as (consumer, tps):
            answers = BrokerAnswers(consumer._fetcher, longest_poll=0.05)
            taken: dict[TP, Any] = {}
            while not taken:
                with consumer._fetcher._subscriptions.fetch_context():
                    taken = answers.take({tps[1]}, _COUNT)
                await asyncio.sleep(0.01)
            assert [*taken] == [tps[1]]
            rest: dict[TP, Any] = {}
            while not rest:
                rest = answers.take({tps[0]}, _COUNT)
                await asyncio.sleep(0.01)
            assert rest[tps[0]].offsets[0] == 0

    asyncio.run(run())


def test_after_enough_records_only_small_answers_are_taken(broker: str) -> None:
    name = "small-and-large-answers"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(name, 3, 1)])[name].result()
    producer = Producer({"bootstrap.servers": broker})
    for partition, size in enumerate((100_000, 100_000, 10)):
        producer.produce(name, b"v" * size, partition=partition)
    assert producer.flush(30) == 0

    async def run() -> None:
        async with _consumer(broker, name) as (consumer, _):
            tps = [TP(name, partition) for partition in range(3)]
            consumer.assign(tps)
            answers = BrokerAnswers(consumer._fetcher, longest_poll=0.05)
            while len(consumer._fetcher._records) < len(tps):  # noqa: ASYNC110 - aiokafka tells nobody
                await asyncio.sleep(0.01)
            with consumer._fetcher._subscriptions.fetch_context():
                first = answers.take(frozenset(tps), 1)
                second = answers.take(frozenset(tps), 1)
            assert tps[2] in first
            assert len(first) == 2
            assert first.keys() | second.keys() == set(tps)

    asyncio.run(run())


class _Damaging:
    """A fetcher whose client turns a bit in what the broker sends."""

    def __new__(cls, fetcher: Any) -> Any:
        fetcher._client = _DamagingClient(fetcher._client)
        return fetcher


class _DamagingClient:
    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: Any, request: Any) -> Any:
        answer = await self._client.send(node_id, request)
        if hasattr(request, "topics") and hasattr(answer, "topics"):
            answer.topics = [
                (topic, [(*part[:-1], _turned(part[-1])) for part in parts])
                for topic, parts in answer.topics
            ]
        return answer


def _turned(raw: Any) -> Any:
    if not isinstance(raw, bytes) or len(raw) < 100:
        return raw
    return raw[:90] + bytes([raw[90] ^ 1]) + raw[91:]
