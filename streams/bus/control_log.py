"""What operators tell the workers: entries on ``llm.control``, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.bus.cloudevents import headers
from streams.bus.kafka_settings import producer_settings
from streams.bus.records_consumer import ReceivedRecord, newest_records
from streams.config import Config
from streams.contracts import ControlEntry, decode_record, encode_record
from streams.errors import (
    BrokerUnavailable,
    BusError,
    ContractError,
    InvalidRecord,
    TopicMismatch,
)

__all__ = [
    "CONTROL_TOPIC",
    "ENTRY_TYPE",
    "append_entries",
    "decode_entry",
    "read_entries",
    "withdraw",
]

CONTROL_TOPIC: Final = "llm.control"
"""Compacted, key entry_id, one partition: its order is the order of the entries."""

ENTRY_TYPE: Final = "io.distillwatch.ControlEntry"
"""The CloudEvents type of every entry."""

_SOURCE: Final = "urn:distillwatch:operator"
_ANSWER_TIMEOUT: Final = 8.0  # s until a silent broker counts as not there
_DELIVERY_TIMEOUT: Final = 10_000  # ms in which the broker must acknowledge
_POLL: Final = 0.1  # s that delivery reports are waited for
_ABSENT: Final = (
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  librdkafka's own codes are spelled so
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


def append_entries(
    bootstrap: str,
    entries: Sequence[ControlEntry],
    *,
    on_acknowledged: Callable[[int], object] = lambda _count: None,
) -> None:
    """Write entries in their order; return once the broker has acknowledged all.

    An entry takes the place of an earlier one with its ``entry_id``.
    ``on_acknowledged`` is told how many more are written, as they are. Raises
    `BrokerUnavailable` when nobody answers, `TopicMismatch` when the topic is missing,
    `BusError` when the broker refuses an entry: the error says how many were written.
    """
    _send(
        bootstrap,
        [
            (
                entry.entry_id,
                encode_record(entry),
                headers(
                    f"{entry.entry_id}@{entry.created_at}",
                    ENTRY_TYPE,
                    _SOURCE,
                    entry.created_at,
                ),
            )
            for entry in entries
        ],
        on_acknowledged,
    )


def withdraw(bootstrap: str, entry_ids: Iterable[str]) -> None:
    """Write tombstones: the entries of these ids hold no longer. Raises likewise."""
    _send(bootstrap, [(each, None, []) for each in entry_ids], lambda _count: None)


def read_entries(
    bootstrap: str, *, on_unreadable: Callable[[str], object] | None = None
) -> dict[str, ControlEntry]:
    """Read the topic to its present end: the newest entry of each id, oldest first.

    Withdrawn ones are left out; expired ones are not, as that depends on whose clock
    counts. An entry that cannot be read raises its `ContractError`, which names the
    place; with ``on_unreadable`` that message is handed over and the entry left out.
    """
    entries = {}
    for record in newest_records(bootstrap, CONTROL_TOPIC).values():
        try:
            entry = decode_entry(record)
        except ContractError as error:
            if on_unreadable is None:
                raise
            on_unreadable(str(error))
        else:
            entries[entry.entry_id] = entry
    return entries


def decode_entry(record: ReceivedRecord) -> ControlEntry:
    """Decode an entry; a `ContractError` names its place.

    The record's key must be the entry's id: under another one it could be neither
    replaced nor withdrawn.
    """
    try:
        entry = decode_record(ControlEntry, record.value or b"")
    except ContractError as error:
        raise type(error)(f"{record.place}: {error}") from None
    if record.key != entry.entry_id.encode():
        raise InvalidRecord(f"{record.place}: the key is not the entry_id")
    return entry


_Headers = list[tuple[str, bytes]]


def _send(
    bootstrap: str,
    records: Sequence[tuple[str, bytes | None, _Headers]],
    on_acknowledged: Callable[[int], object],
) -> None:
    if not records:
        return
    failures: list[KafkaError] = []
    written = 0

    def settle(error: KafkaError | None, _message: Message) -> None:
        nonlocal written
        if error is None:
            written += 1
            on_acknowledged(1)
        else:
            failures.append(error)

    producer = Producer(
        {
            **producer_settings(Config(bootstrap=bootstrap)),
            "allow.auto.create.topics": False,  # topics come from topics.toml
            "message.timeout.ms": _DELIVERY_TIMEOUT,
        }
    )
    _require_topic(producer, bootstrap)
    for key, value, attributes in records:
        _produce(producer, key, value, attributes, settle)
    while len(producer):
        producer.poll(_POLL)
    if failures:
        raise _refusal(bootstrap, failures[0], written, len(records))


def _produce(
    producer: Producer,
    key: str,
    value: bytes | None,
    attributes: _Headers,
    settle: Callable[[KafkaError | None, Message], None],
) -> None:
    while True:
        try:
            producer.produce(
                CONTROL_TOPIC, value, key, on_delivery=settle, headers=[*attributes]
            )
        except BufferError:
            producer.poll(_POLL)
        except KafkaException as error:
            # Above the size that this side may send; what was taken before goes out.
            producer.flush()
            raise BusError(
                f"{CONTROL_TOPIC}: entry {key}: {error.args[0].str()}"
            ) from None
        else:
            return


def _require_topic(producer: Producer, bootstrap: str) -> None:
    try:
        found = producer.list_topics(CONTROL_TOPIC, _ANSWER_TIMEOUT)
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no broker answers at {bootstrap} ({error.args[0].str()}); nothing was "
            "written; start one with: distillwatch broker up"
        ) from None
    if found.topics[CONTROL_TOPIC].error is not None:
        raise _missing(bootstrap)


def _missing(bootstrap: str) -> TopicMismatch:
    return TopicMismatch(
        f"topic {CONTROL_TOPIC} is not on {bootstrap}; nothing was written; run: "
        "distillwatch topics apply"
    )


def _refusal(bootstrap: str, error: KafkaError, written: int, wanted: int) -> BusError:
    if error.code() in _ABSENT:
        return _missing(bootstrap)
    told = (
        f"{bootstrap} acknowledged {written} of {wanted} records for {CONTROL_TOPIC} "
        f"({error.str()})"
    )
    if error.retriable() or error.code() == KafkaError._MSG_TIMED_OUT:  # noqa: SLF001  librdkafka's own codes are spelled so
        return BrokerUnavailable(f"{told}; writing them once more does no harm")
    return BusError(told)
