"""How far the workers have got, told from what they write: for tools, not for them.

Each batch between two stages says up to which event-time minute it completes its
source. So the last stage has closed a minute when batches of all its sources say so,
and has published what came of it when it has committed them: it commits a batch only
after its alerts and actions are with the broker.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.bus.kafka_settings import client_settings
from streams.bus.records_consumer import ReceivedRecord
from streams.config import Config
from streams.contracts import load_topics
from streams.contracts.stage_batch import decode_batch
from streams.errors import BrokerUnavailable

__all__ = ["LAST_STAGE_TOPIC", "PipelinePosition"]

LAST_STAGE_TOPIC = "llm.links"
"""Input of the last stage; its records are to be handed to `PipelinePosition.take`."""

_SOURCES_TOPIC = "llm.facets"  # one source of batches for each of its partitions
_ANSWER_TIMEOUT = 8.0  # s


class PipelinePosition:
    """Position of the consumer group ``app_id``, in event time."""

    def __init__(self, bootstrap: str, app_id: str) -> None:
        topics = load_topics()
        self._bootstrap = bootstrap
        self._closed = [-1] * topics[_SOURCES_TOPIC].partitions
        self._inputs = [
            TopicPartition(LAST_STAGE_TOPIC, partition)
            for partition in range(topics[LAST_STAGE_TOPIC].partitions)
        ]
        settings = client_settings(Config(bootstrap=bootstrap))
        # It joins nothing: a consumer is how one asks for a group's offsets.
        self._consumer = Consumer(
            {**settings, "group.id": app_id, "enable.auto.commit": False}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def take(self, record: ReceivedRecord) -> None:
        """Take note of a record of ``llm.links``."""
        batch = decode_batch("MemberLinks", record.value or b"")
        # A negative source is an operator's entry, which closes nothing.
        if batch.last and batch.source_partition >= 0:
            source = batch.source_partition
            self._closed[source] = max(self._closed[source], batch.closed_minute)

    @property
    def closed_minute(self) -> int:
        """The minute (since the epoch) that all sources have closed; -1 before any."""
        return min(self._closed)

    def has_published(self, minute: int) -> bool:
        """Whether all alerts and actions up to ``minute``, inclusive, are out.

        Raises `BrokerUnavailable` after 8 s without an answer.
        """
        if self.closed_minute < minute:
            return False
        try:
            committed = self._consumer.committed(self._inputs, timeout=_ANSWER_TIMEOUT)
            return all(each.offset >= self._end(each) for each in committed)
        except KafkaException as error:
            raise BrokerUnavailable(
                f"{self._bootstrap} does not tell how far the workers are "
                f"({error.args[0].str()}); is the broker still up?"
            ) from error

    def _end(self, partition: TopicPartition) -> int:
        marks = self._consumer.get_watermark_offsets(partition, timeout=_ANSWER_TIMEOUT)
        # Without an answer nothing can be said to have been reached.
        return (1 << 62) if marks is None else int(marks[1])
