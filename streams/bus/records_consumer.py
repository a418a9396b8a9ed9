"""Follow whole topics record by record: for people and tools, not for the pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from streams.bus.kafka_settings import client_settings
from streams.config import Config
from streams.errors import BrokerUnavailable, BusError, TopicMismatch

__all__ = [
    "ReceivedRecord",
    "RecordsConsumer",
    "newest_records",
    "read_to_end",
]

_ANSWER_TIMEOUT = 8.0  # s until a silent broker counts as not there
_POLL = 0.2  # s between two looks at the clock and at Ctrl-C
_BATCH = 500  # records at once
# ms that a broker may wait with the answer that there is no more: 500 by default, which
# a person who waits for a list would notice.
_SOON_AT_END = {"fetch.wait.max.ms": 20}
# The partition has a new leader, which this client or the broker learns just now.
_MOVING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


class ReceivedRecord(NamedTuple):
    """One record as it lies on the broker; ``timestamp`` in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, str | bytes | None]]

    @property
    def place(self) -> str:
        """Where it lies, as errors name it.

        >>> ReceivedRecord("llm.alerts", 0, 17, 0, None, None, []).place
        'llm.alerts[0]@17'
        """
        return f"{self.topic}[{self.partition}]@{self.offset}"


class RecordsConsumer:
    """Read all partitions of some topics, without a consumer group.

    From the first record when ``from_beginning``, from ``offsets`` by topic and
    partition, else what comes after the constructor has returned. Nothing is committed,
    so it disturbs nobody. Raises `BrokerUnavailable` when nobody answers,
    `TopicMismatch` when a topic is missing.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[str],
        *,
        from_beginning: bool = False,
        offsets: Mapping[tuple[str, int], int] | None = None,
        kafka_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer(
            {
                **client_settings(Config(bootstrap=bootstrap)),
                # librdkafka wants a name even where no group is joined.
                "group.id": "distillwatch-reader",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                **(kafka_settings or {}),
            }
        )
        try:
            partitions = [p for topic in topics for p in self._partitions(topic)]
            self._behind = {(each.topic, each.partition) for each in partitions}
            for each in partitions:
                if offsets is not None:
                    each.offset = offsets[each.topic, each.partition]
                else:
                    each.offset = (
                        OFFSET_BEGINNING if from_beginning else self._end(each)
                    )
            self._consumer.assign(partitions)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker; may be called twice."""
        self._consumer.close()

    def records(self, *, until_idle: float | None = None) -> Iterator[ReceivedRecord]:
        """Yield records as they come, in order within a partition.

        Ends when none came for ``until_idle`` seconds; by default it never ends. A
        broker that goes away is waited for.
        """
        heard = time.monotonic()
        while True:
            for message in self._consumer.consume(_BATCH, _POLL):
                error = message.error()
                if error is None:
                    yield _record(message)
                    heard = time.monotonic()
                else:
                    self._take_error(message, error)
            if until_idle is not None and time.monotonic() - heard >= until_idle:
                return

    def records_to_end(self) -> Iterator[ReceivedRecord]:
        """Yield records up to the end that each partition has when it is reached.

        Raises `BrokerUnavailable` when nothing is heard for 8 s before that.
        """
        heard = time.monotonic()
        while self._behind:
            # consume() alone would wait until a batch is full or the time is over.
            first = self._consumer.poll(_POLL)
            rest = self._consumer.consume(_BATCH - 1, 0)
            for message in rest if first is None else [first, *rest]:
                error = message.error()
                if error is None:
                    yield _record(message)
                else:
                    self._take_error(message, error)
                    if not _is_end(error):
                        continue
                heard = time.monotonic()
            if self._behind and time.monotonic() - heard >= _ANSWER_TIMEOUT:
                raise BrokerUnavailable(
                    f"{self._bootstrap} fell silent before the end of "
                    f"{', '.join(sorted({topic for topic, _ in self._behind}))}; "
                    "try again"
                )

    def _take_error(self, message: Message, error: KafkaError) -> None:
        if _is_end(error):
            self._behind.discard((str(message.topic()), int(message.partition() or 0)))
        elif not _passing(error):
            raise BusError(f"{self._bootstrap}: {error.str()}")

    def _partitions(self, topic: str) -> list[TopicPartition]:
        try:
            found = self._consumer.list_topics(topic, _ANSWER_TIMEOUT).topics[topic]
        except KafkaException as error:
            raise self._unavailable(error) from None
        if found.error is not None:
            raise TopicMismatch(
                f"topic {topic} is not on {self._bootstrap} ({found.error.str()}); "
                "run: distillwatch topics apply"
            )
        return [TopicPartition(topic, number) for number in sorted(found.partitions)]

    def _end(self, partition: TopicPartition) -> int:
        deadline = time.monotonic() + _ANSWER_TIMEOUT
        while True:
            try:
                marks = self._consumer.get_watermark_offsets(partition, _ANSWER_TIMEOUT)
                break
            except KafkaException as error:
                moving = error.args[0].code() in _MOVING
                if not moving or time.monotonic() >= deadline:
                    raise self._unavailable(error) from None
                time.sleep(_POLL)
        if marks is None:
            raise BrokerUnavailable(
                f"{self._bootstrap} does not tell the end of {partition.topic}"
                f"[{partition.partition}]; try again"
            )
        return int(marks[1])

    def _unavailable(self, error: KafkaException) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"no broker answers at {self._bootstrap} ({error.args[0].str()}); "
            "start one with: distillwatch broker up"
        )


def read_to_end(bootstrap: str, topics: Sequence[str]) -> Iterator[ReceivedRecord]:
    """Read topics from their beginning to their present end, and leave the broker.

    Raises like `RecordsConsumer` and its ``records_to_end``.
    """
    with RecordsConsumer(
        bootstrap, topics, from_beginning=True, kafka_settings=_SOON_AT_END
    ) as consumer:
        yield from consumer.records_to_end()


def newest_records(bootstrap: str, topic: str) -> dict[bytes, ReceivedRecord]:
    """Read a compacted topic to its present end: the newest record of each key.

    Keys with a tombstone are left out, as are records without a key. Raises like
    `RecordsConsumer`.
    """
    newest: dict[bytes, ReceivedRecord] = {}
    for record in read_to_end(bootstrap, [topic]):
        if record.key is None:
            continue
        # Popped first, so that the order is that of the newest records.
        newest.pop(record.key, None)
        if record.value is not None:
            newest[record.key] = record
    return newest


def _is_end(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError._PARTITION_EOF)  # noqa: SLF001  librdkafka's own codes are spelled so


def _passing(error: KafkaError) -> bool:
    # A broker that is away comes back; librdkafka goes on by itself.
    return bool(error.retriable()) or error.code() in (
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001  librdkafka's own codes are spelled so
        KafkaError._TRANSPORT,  # noqa: SLF001  same
        KafkaError._RESOLVE,  # noqa: SLF001  same
    )


def _record(message: Message) -> ReceivedRecord:
    headers = message.headers() or []
    return ReceivedRecord(
        str(message.topic()),
        int(message.partition() or 0),
        int(message.offset() or 0),
        message.timestamp()[1],
        message.key(),
        message.value(),
        list(headers.items()) if isinstance(headers, dict) else headers,
    )
