"""Requests of the past, read back from Kafka by event time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.bus.kafka_settings import client_settings
from streams.bus.records_consumer import RecordsConsumer
from streams.config import Config
from streams.contracts import WriterSchemas, decode_chunk
from streams.contracts.time_units import MS_PER_HOUR, MS_PER_MINUTE
from streams.errors import BrokerUnavailable, TopicMismatch

__all__ = ["RequestHistory"]

_TOPIC: Final = "llm.requests"
_ANSWER_TIMEOUT: Final = 8.0  # s until a silent broker counts as not there
_PASSING: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
)
"""For a moment after a topic was made, or moved, nobody leads it."""
_SOON: Final = {"fetch.wait.max.ms": 20}
"""At the end of a partition the broker would hold an answer back for half a second."""
_PAUSE: Final = 0.1  # s before a question is asked again

_T = TypeVar("_T")


class RequestHistory:
    """The requests of the last ``minutes`` of event time, up to the present end.

    They are counted back from the newest event, so that a stream that stands still, or
    whose events are not of today, is read as well. Kafka finds records by the time of
    sending, from which an event may be ``max_future`` hours ahead: so `records` begins
    earlier, and who wants no older events leaves out those before ``since`` (ms since
    the epoch). ``total`` is the number of records, ``removed`` those that retention has
    taken away from the beginning of llm.requests by now. Raises `BrokerUnavailable`
    when nobody answers, `TopicMismatch` when there is no llm.requests.
    """

    def __init__(
        self,
        bootstrap: str,
        minutes: int,
        *,
        max_future: float = 24.0,
        writers: WriterSchemas | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        consumer = Consumer(
            {
                **client_settings(Config(bootstrap=bootstrap)),
                "group.id": "distillwatch-history",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                **_SOON,
            }
        )
        try:
            partitions = _partitions(consumer)
            marks = {each.partition: _marks(consumer, each) for each in partitions}
            self.removed = sum(start for start, _ in marks.values())
            newest = _newest(consumer, marks, writers)
            self.since = max(newest - minutes * MS_PER_MINUTE, 0)
            sent = max(self.since - round(max_future * MS_PER_HOUR), 0)
            asked = [TopicPartition(_TOPIC, each, sent) for each in marks]
            found = _ask(lambda: consumer.offsets_for_times(asked, _ANSWER_TIMEOUT))
        except KafkaException as error:
            raise BrokerUnavailable(
                f"no broker answers at {bootstrap} ({error.args[0].str()}); "
                "start one with: distillwatch broker up"
            ) from None
        finally:
            consumer.close()
        # An offset below 0 stands for the end: nothing was sent since then.
        self._starts = {
            (_TOPIC, each.partition): each.offset
            if each.offset >= 0
            else marks[each.partition][1]
            for each in found
        }
        self.total = sum(
            marks[partition][1] - start
            for (_, partition), start in self._starts.items()
        )

    def records(self) -> Iterator[tuple[bytes, int]]:
        """Yield values with their Kafka timestamps, in order within a partition."""
        with RecordsConsumer(
            self._bootstrap, [_TOPIC], offsets=self._starts, kafka_settings=_SOON
        ) as consumer:
            for record in consumer.records_to_end():
                if record.value is not None:
                    yield record.value, record.timestamp


def _partitions(consumer: Consumer) -> list[TopicPartition]:
    found = consumer.list_topics(_TOPIC, _ANSWER_TIMEOUT).topics[_TOPIC]
    if found.error is not None:
        raise TopicMismatch(
            f"topic {_TOPIC} is not there ({found.error.str()}); "
            "run: distillwatch topics apply"
        )
    return [TopicPartition(_TOPIC, number) for number in sorted(found.partitions)]


def _marks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    return _ask(lambda: consumer.get_watermark_offsets(partition, _ANSWER_TIMEOUT))


def _ask(question: Callable[[], _T]) -> _T:
    """Ask again while the broker says that it may answer later, for 8 s."""
    deadline = time.monotonic() + _ANSWER_TIMEOUT
    while True:
        try:
            return question()
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _newest(
    consumer: Consumer,
    marks: dict[int, tuple[int, int]],
    writers: WriterSchemas | None,
) -> int:
    """Give the latest event time among the last records of the partitions."""
    missing = {each for each, (start, end) in marks.items() if end > start}
    consumer.assign([TopicPartition(_TOPIC, p, marks[p][1] - 1) for p in missing])
    values, deadline = [], time.monotonic() + _ANSWER_TIMEOUT
    while missing:
        for message in consumer.consume(len(missing), _PAUSE):
            if message.error() is None and message.partition() in missing:
                missing.discard(int(message.partition() or 0))
                values.append(message.value() or b"")
        if missing and time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"the last record of {_TOPIC}[{min(missing)}] does not come within "
                f"{_ANSWER_TIMEOUT:.0f} s; try again"
            )
    times = decode_chunk("RequestEvent", values, writers=writers).frame["occurred_at"]
    return max(times.to_list(), default=0)
