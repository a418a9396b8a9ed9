"""Read a topic from its beginning, follow it, and know when contact is lost."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from streams.bus.kafka_settings import client_settings
from streams.bus.records_consumer import ReceivedRecord
from streams.config import Config
from streams.errors import ConfigError

__all__ = ["TopicFollower"]

_BATCH: Final = 1000  # records at once
_METADATA_TIMEOUT: Final = 2.0  # s that closing may have to wait for a silent broker
_RETRY: Final = 0.5  # s between two attempts to find the topic
_STATISTICS: Final = 1000  # ms between two reports on the connections
# A fetch that finds nothing is answered after librdkafka's fetch.wait.max.ms, 500 ms.
_SILENCE: Final = 3.0  # s without a byte from a leader that mean lost contact
_SETTINGS: Final[Mapping[str, Any]] = {
    # librdkafka wants a name even where no group is joined.
    "group.id": "distillwatch-enforcer",
    "client.id": "distillwatch-enforcer",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # A place that is gone (the topic was made anew) is told, not jumped over.
    "auto.offset.reset": "error",
    "statistics.interval.ms": _STATISTICS,
    "reconnect.backoff.max.ms": 2000,  # a broker that is back is soon found
    # The records are small, and the queue is of this process's memory.
    "queued.max.messages.kbytes": 8192,
}
_FIXED: Final = ("enable.partition.eof", "auto.offset.reset", "statistics.interval.ms")


class TopicFollower:
    """A consumer without a group; one thread calls it.

    A broker that is not there, at the start or later, is waited for: `read` then gives
    nothing. ``on_error`` is told what concerns no single record. A topic that is not
    there is looked for every ``retry`` seconds. Raises `ConfigError` for settings that
    librdkafka does not take.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        on_error: Callable[[str], object],
        kafka_settings: Mapping[str, Any] | None = None,
        retry: float = _RETRY,
    ) -> None:
        for name in _FIXED:
            if name in (kafka_settings or {}):
                raise ConfigError(f"kafka setting {name} is fixed here; leave it out")
        self._topic = topic
        self._on_error = on_error
        self._retry = retry
        self._behind: set[int] = set()
        self._assigned = False
        self._retry_at = 0.0
        self._contact = -math.inf
        self.lost_place = False
        self.absent = False
        try:
            self._consumer = Consumer(
                {
                    **client_settings(Config(bootstrap=bootstrap)),
                    **_SETTINGS,
                    **(kafka_settings or {}),
                    "error_cb": lambda error: on_error(error.str()),
                    "stats_cb": self._take_statistics,
                }
            )
        except KafkaException as error:
            raise ConfigError(f"Kafka settings: {error.args[0].str()}") from None

    @property
    def caught_up(self) -> bool:
        """Whether every partition was read to an end that it had since the start."""
        return self._assigned and not self._behind

    @property
    def is_assigned(self) -> bool:
        """Whether the topic was found, so that `read` asks nobody where it is."""
        return self._assigned

    @property
    def silent_for(self) -> float:
        """Seconds since all leaders of the topic were heard; infinite before."""
        return time.monotonic() - self._contact

    def start_over(self) -> None:
        """Read from the beginning again."""
        self._assigned = False
        self.lost_place = False

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def read(self, timeout: float) -> list[ReceivedRecord]:
        """Give what has come, waiting up to ``timeout`` seconds for the first record.

        Tombstones are among them. While the topic is not found it waits, too.
        """
        if not self._assigned and time.monotonic() >= self._retry_at:
            self._assign()
        first = self._consumer.poll(timeout)
        if first is None:
            return []
        # consume() alone would wait until a batch is full or the time is over.
        messages = [first, *self._consumer.consume(_BATCH - 1, 0)]
        return [record for each in messages if (record := self._record(each))]

    def _assign(self) -> None:
        self._retry_at = time.monotonic() + self._retry
        try:
            listed = self._consumer.list_topics(self._topic, _METADATA_TIMEOUT)
        except KafkaException as error:
            self._on_error(error.args[0].str())
            return
        found = listed.topics[self._topic]
        self.absent = found.error is not None or not found.partitions
        if self.absent:
            self._on_error(
                f"topic {self._topic} is not there; run: distillwatch topics apply"
            )
            return
        self._behind = set(found.partitions)
        self._consumer.assign(
            [
                TopicPartition(self._topic, number, OFFSET_BEGINNING)
                for number in sorted(found.partitions)
            ]
        )
        self._assigned = True

    def _record(self, message: Message) -> ReceivedRecord | None:
        error = message.error()
        partition = int(message.partition() or 0)
        if error is None:
            return ReceivedRecord(
                self._topic,
                partition,
                int(message.offset() or 0),
                message.timestamp()[1],
                message.key(),
                message.value(),
                [],
            )
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's own codes are spelled so
            if self._behind == {partition}:
                self._contact = time.monotonic()  # all leaders have answered
            self._behind.discard(partition)
        else:
            self._on_error(f"{self._topic}[{partition}]: {error.str()}")
            if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001  same
                self.lost_place = True
        return None

    def _take_statistics(self, text: str) -> None:
        """Note when the quietest leader of our partitions was heard last."""
        told = json.loads(text)
        brokers = {each["nodeid"]: each for each in told["brokers"].values()}
        partitions = told["topics"].get(self._topic, {}).get("partitions", {})
        leaders = {
            each["leader"] for number, each in partitions.items() if int(number) >= 0
        }
        quiet = 0.0
        for leader in leaders or {None}:
            broker = brokers.get(leader)
            if broker is None or broker["state"] != "UP":
                return
            quiet = max(quiet, broker["rxidle"] / 1e6)
        if self._assigned and quiet < _SILENCE:
            self._contact = max(self._contact, time.monotonic() - quiet)
