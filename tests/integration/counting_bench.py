"""Runs the counting stage on a real broker and compares with the stage in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic
from counting_stage import CountingStage, load_stages

from streams.agents.broker_writer import DEAD_LETTER_TOPIC
from streams.agents.changelog import ChangelogReader
from streams.agents.changelog_topics import changelog_name, ensure_changelogs
from streams.agents.supervisor import Supervisor
from streams.agents.worker import StageLoader
from streams.bus.kafka_settings import admin_client, client_settings, producer_settings
from streams.bus.record_columns import header_column
from streams.config import Config
from streams.engine.row_block import RowBlock
from streams.engine.stage import Chunk, Row

__all__ = ["PARTITIONS", "Bench", "headers_of"]

PARTITIONS = 4
_DEADLINE = 120.0  # s; a broken worker must end the test, a slow one need not


class Bench:
    """One app id with its topics, its workers, and what should come of its input."""

    def __init__(
        self,
        bootstrap: str,
        app_id: str,
        *,
        idle_timeout: float = 3600.0,
        chunk_records: int = 200,
    ) -> None:
        self.config = Config(
            bootstrap=bootstrap,
            app_id=app_id,
            flush_interval=0.1,
            session_timeout=6.0,
            idle_timeout=idle_timeout,
            chunk_records=chunk_records,
        )
        self.input, self.output = f"{app_id}.in", f"{app_id}.out"
        self.admin: AdminClient = admin_client(bootstrap)
        self._create({self.input: PARTITIONS, self.output: 2, DEAD_LETTER_TOPIC: 1})
        ensure_changelogs(self.config, load_stages(self.config))
        self.producer = Producer(producer_settings(self.config) | {"linger.ms": 5})

    def _create(self, topics: dict[str, int]) -> None:
        present = self.admin.list_topics(timeout=10).topics
        new = [NewTopic(t, n, 1) for t, n in topics.items() if t not in present]
        for created in (self.admin.create_topics(new) if new else {}).values():
            created.result()
        # The broker's own list follows a moment later.
        while not topics.keys() <= self.admin.list_topics(timeout=10).topics.keys():
            time.sleep(0.05)

    def produce(
        self, partition: int, value: bytes, headers: dict[str, bytes] | None = None
    ) -> None:
        self.producer.produce(
            self.input,
            value,
            key=b"key of it",
            partition=partition,
            headers=list((headers or {}).items()),
        )
        self.producer.poll(0)

    @contextmanager
    def workers(
        self, count: int, load: StageLoader = load_stages
    ) -> Iterator[Supervisor]:
        supervisor = Supervisor(self.config, count, load)
        codes: list[int] = []
        thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
        thread.start()
        try:
            yield supervisor
        finally:
            supervisor.stop()
            thread.join()
        if load is load_stages:
            assert codes == [0], codes

    @contextmanager
    def consumer(self, group: str) -> Iterator[Consumer]:
        settings = client_settings(self.config) | {
            "group.id": group,
            "enable.auto.commit": False,
        }
        consumer = Consumer(settings)
        try:
            yield consumer
        finally:
            consumer.close()

    def read(self, topic: str) -> dict[int, list[Message]]:
        """Read a topic as it is now, by partition."""
        partitions = self.admin.list_topics(topic, timeout=10).topics[topic].partitions
        found: dict[int, list[Message]] = {p: [] for p in partitions}
        with self.consumer("reader") as consumer:
            ends = self._ends(consumer, topic, list(partitions))
            waiting = {p for p in ends if ends[p]}
            consumer.assign([TopicPartition(topic, p, 0) for p in waiting])
            while waiting:
                for message in consumer.consume(5000, timeout=1.0):
                    assert message.error() is None, message.error()
                    partition, offset = message.partition(), message.offset()
                    assert partition is not None
                    assert offset is not None
                    if offset < ends[partition]:
                        found[partition].append(message)
                    if offset >= ends[partition] - 1:
                        waiting.discard(partition)
        return found

    @staticmethod
    def _ends(
        consumer: Consumer, topic: str, partitions: Sequence[int]
    ) -> dict[int, int]:
        tps = {p: TopicPartition(topic, p) for p in partitions}
        return {
            p: consumer.get_watermark_offsets(tp, timeout=10)[1]
            for p, tp in tps.items()
        }

    def committed(self) -> dict[int, int]:
        """Return the committed offsets; none while the group has no coordinator."""
        tps = [TopicPartition(self.input, p) for p in range(PARTITIONS)]
        with self.consumer(self.config.app_id) as consumer:
            try:
                answer = consumer.committed(tps, timeout=10)
            except KafkaException:
                return {}
        return {tp.partition: tp.offset for tp in answer}

    def expected(self) -> tuple[dict[str, tuple[bytes, bytes]], dict[bytes, bytes]]:
        """Drive the pure stage: outputs by event id, and state rows by key."""
        outputs, state = {}, {}
        for partition, messages in self.read(self.input).items():
            stage = CountingStage(partition, self.output)
            stage.take(
                Chunk(
                    [m.offset() or 0 for m in messages],
                    [_bytes(m.value()) for m in messages],
                    [m.timestamp()[1] for m in messages],
                )
            )
            for output in stage.advance():
                assert output.key is not None
                assert output.value is not None
                outputs[output.event_id] = (output.key, output.value)
            for row in stage.dirty_rows():
                assert row.value is not None
                state[b"%d:%b" % (partition, row.key)] = row.value
        return outputs, state

    def emitted(self) -> dict[str, tuple[bytes, bytes]]:
        """Return the outputs by event id; those sent twice must be equal."""
        outputs: dict[str, tuple[bytes, bytes]] = {}
        for messages in self.read(self.output).values():
            for message in messages:
                event_id = (dict(headers_of(message))["ce_id"] or b"").decode()
                key, value = message.key(), message.value()
                assert isinstance(key, bytes)
                assert isinstance(value, bytes)
                assert outputs.setdefault(event_id, (key, value)) == (key, value)
        return outputs

    def changelog_state(self) -> dict[bytes, bytes]:
        """Return the rows that count, as a new owner would read them."""
        state = {}
        name = changelog_name(self.config.app_id, "accounts")
        for partition, messages in self.read(name).items():
            counted = ChangelogReader(f"{name}[{partition}]").read(
                [m.offset() or 0 for m in messages],
                RowBlock.of(Row(_bytes(m.key()), _bytes(m.value())) for m in messages),
                header_column([headers_of(m) for m in messages]),
            )
            for row in chain.from_iterable(counted):
                assert row.value is not None
                state[b"%d:%b" % (partition, row.key)] = row.value
        return state

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"{what}: never, {self.committed()}"
            time.sleep(0.2)

    def wait_for_members(self, count: int) -> None:
        """Wait until so many workers share the partitions, none of them idle."""

        def shared() -> bool:
            name = self.config.app_id
            try:
                group = self.admin.describe_consumer_groups([name])[name].result()
            except KafkaException:  # nobody has joined yet
                return False
            holding = [m for m in group.members if m.assignment.topic_partitions]
            return (
                group.state == ConsumerGroupState.STABLE
                and len(group.members) == len(holding) == count
            )

        self.wait_until(shared, f"{count} workers share the partitions")

    def wait_for_progress(self, before: dict[int, int]) -> None:
        """Wait until more is committed than ``before``: somebody reads and flushes."""
        self.wait_until(lambda: self.committed() != before, "another commit")

    def wait_until_committed(self) -> None:
        """Wait until each partition is committed to its very end."""
        with self.consumer("reader") as consumer:
            ends = self._ends(consumer, self.input, range(PARTITIONS))
        self.wait_until(lambda: self.committed() == ends, f"committed to {ends}")


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    found = message.headers() or []
    assert isinstance(found, list)
    return [(name, _bytes(value)) for name, value in found]


def _bytes(value: str | bytes | None) -> bytes | None:
    assert value is None or isinstance(value, bytes)
    return value
