"""The Kafka producer below a reporter: settings, headers and delivery counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.bus.cloudevents import HeaderMaker
from streams.bus.kafka_settings import producer_settings as bus_settings
from streams.config import Config
from streams.errors import ConfigError

__all__ = ["EVENT_TYPE", "EventProducer", "is_purged", "producer_settings"]

EVENT_TYPE: Final = "io.distillwatch.RequestEvent"
"""The CloudEvents type of every reported event."""

_CLIENT = "distillwatch-reporter"
_DEFAULTS: Final[Mapping[str, Any]] = {
    "queue.buffering.max.kbytes": 1 << 20,  # 1 GiB: the count of events is the limit
    "reconnect.backoff.max.ms": 2000,  # a broker that is back is soon found
    "allow.auto.create.topics": False,  # topics come from topics.toml
}
# With another partitioner the events of one account would lie in another partition
# than its state.
_FIXED: Final = ("bootstrap.servers", "partitioner")
_PURGED: Final = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001  librdkafka's own error codes are spelled so

_PURGE_POLL = 0.1  # s
_ANY_PARTITION: Final = -1  # the partitioner's choice
_NOW: Final = 0


def producer_settings(
    bootstrap: str,
    *,
    linger: float,
    queue_limit: int,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Give librdkafka's settings; ``linger`` in seconds, ``queue_limit`` in events.

    ``overrides`` (security above all) win, except over the bootstrap servers and the
    partitioner: another one raises `ConfigError`.

    >>> producer_settings("kafka:9092", linger=0.02, queue_limit=10)["linger.ms"]
    20.0
    """
    base = bus_settings(Config(bootstrap=bootstrap, app_id=_CLIENT))
    for name in _FIXED:
        if overrides and overrides.get(name, base[name]) != base[name]:
            raise ConfigError(
                f"kafka setting {name} must be {base[name]!r}; leave it out"
            )
    return {
        **base,
        **_DEFAULTS,
        "linger.ms": linger * 1000,
        "queue.buffering.max.messages": queue_limit,
        **(overrides or {}),
    }


class EventProducer:
    """A Kafka producer of framed events.

    `send` may be called from many threads, `poll` from one: it calls ``on_settled``
    once per event, with None when a broker has it and with the error otherwise, and
    ``on_error`` for what concerns no single event: a broker that is away, above all.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        topic: str,
        source: str,
        event_type: str = EVENT_TYPE,
        on_settled: Callable[[KafkaError | None, Message], None],
        on_error: Callable[[KafkaError], object],
    ) -> None:
        self._topic = topic
        self._headers: Callable[[str, int], Any] = HeaderMaker(event_type, source)
        self._on_settled = on_settled
        try:
            self._producer = Producer({**settings, "error_cb": on_error})
        except KafkaException as error:
            # librdkafka names the setting that it does not take.
            raise ConfigError(f"Kafka settings: {error.args[0].str()}") from None

    def send(
        self, value: bytes, key: str | bytes, timestamp: int, event_id: str
    ) -> bool:
        """Hand an event to librdkafka; False when its queue is full.

        ``timestamp`` is the event's own time, milliseconds since the epoch; it travels
        as ``ce_time``. The record's timestamp is the time of sending, so that Kafka's
        retention counts from there, and one gateway's fast clock cannot make the broker
        refuse a batch. Raises `KafkaException` when librdkafka refuses the event for
        another reason, for example its size.
        """
        try:
            # By position, which costs a quarter less: partition, two names of the
            # callback, timestamp (0 is now), headers.
            self._producer.produce(
                self._topic,
                value,
                key,
                _ANY_PARTITION,
                self._on_settled,
                self._on_settled,
                _NOW,
                self._headers(event_id, timestamp),
            )
        except BufferError:
            return False
        return True

    def poll(self, timeout: float) -> None:
        """Serve delivery reports; wait up to ``timeout`` seconds for the first."""
        self._producer.poll(timeout)

    def purge(self) -> None:
        """Give up all that is not delivered, and settle it as `is_purged`.

        Events on their way to a broker may arrive all the same.
        """
        self._producer.purge()
        while len(self._producer):
            self._producer.poll(_PURGE_POLL)


def is_purged(error: KafkaError) -> bool:
    """Tell whether an event was given up by `EventProducer.purge`."""
    return error.code() in _PURGED
