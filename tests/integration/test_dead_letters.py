"""What cannot be taken is set aside as it came, and the rest goes on unharmed."""

from __future__ import annotations

import json
from pathlib import Path

from confluent_kafka import Producer
from pipeline_bench import PipelineBench

from streams.bus.kafka_settings import producer_settings
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.contracts import decode, encode, iter_datums
from streams.engine.murmur2 import partition_of

SECRET = "sk-" + "a1B2" * 8
TEXT = "Grade the following answer step by step"
TEN_YEARS = 10 * 365 * 24 * 3_600_000  # ms
REQUESTS, PARTITIONS = "llm.requests", 8
HEADERS: list[tuple[str, str | bytes | None]] = [
    ("trace", b"\x00\xff"),
    ("trace", b"twice"),
    ("empty", b""),
    ("null", None),
]
_ERRORS = "__connect.errors."


def _poison(good: bytes) -> dict[str, tuple[bytes | None, str, str]]:
    """Give records to refuse by key, each with its error and a word of its message."""
    event = decode("RequestEvent", good)
    told = {"account_id": "a", "messages": [{"role": "user", "content": TEXT}]}
    later = event | {"occurred_at": event["occurred_at"] + TEN_YEARS}
    secret = event | {"account_id": SECRET}
    return {
        "garbage": (b"\xff\xfe no Avro at all", "UndecodableRecord", ""),
        "cut off": (good[:-20], "UndecodableRecord", "RequestEvent"),
        "tombstone": (None, "UndecodableRecord", "tombstone"),
        "unknown": (good[:2] + bytes(8) + good[10:], "UnknownSchema", "fingerprint"),
        "text": (json.dumps(told).encode(), "ContentRefused", "messages"),
        "secret": (encode("RequestEvent", secret), "ContentRefused", "account_id"),
        "later": (encode("RequestEvent", later), "InvalidRecord", "occurred_at"),
    }


def test_poison_among_good_events_is_set_aside_and_changes_nothing(
    topics: str, tmp_path: Path
) -> None:
    bench = PipelineBench(topics, tmp_path)
    datums = [*iter_datums(bench.events)]
    poison = _poison(datums[0])
    producer = Producer(producer_settings(bench.config))
    sent_before = 0

    def mix_in(sent: int) -> None:
        nonlocal sent_before
        # At the beginning, in the middle and after the last good event.
        for due in (1, len(datums) // 2, len(datums)):
            if sent_before < due <= sent:
                for key, (value, _, _) in poison.items():
                    producer.produce(REQUESTS, value, key, headers=HEADERS)
        sent_before = sent

    with bench.workers(2):
        bench.send(event_hours_per_second=2, on_sent=mix_in)
        assert producer.flush(30) == 0
        bench.wait_until_published()
        letters = _letters(topics, 3 * len(poison))
    replayed = bench.replayed()
    assert replayed["llm.actions"]
    assert replayed["llm.alerts"]
    assert bench.published() == replayed

    assert {letter.key for letter in letters} == {key.encode() for key in poison}
    places = set()
    for letter in letters:
        assert letter.key is not None
        value, error, word = poison[letter.key.decode()]
        assert letter.value == value
        assert letter.headers[: len(HEADERS)] == HEADERS
        reasons = {
            name.removeprefix(_ERRORS): text.decode()
            for name, text in letter.headers[len(HEADERS) :]
            if isinstance(text, bytes)
        }
        assert reasons["topic"] == REQUESTS
        assert reasons["stage"] == "accounts"
        assert (
            reasons["partition"] == f"{partition_of(letter.key.decode(), PARTITIONS)}"
        )
        assert reasons["exception.class.name"] == f"streams.errors.{error}"
        assert word in reasons["exception.message"]
        assert not any(part in str(reasons) for part in (SECRET, TEXT))
        places.add((reasons["partition"], reasons["offset"]))
    assert len(places) == 3 * len(poison)


def _letters(servers: str, count: int) -> list[ReceivedRecord]:
    """Read so many dead letters; those that come twice after a restart count once."""
    found: dict[tuple[object, ...], ReceivedRecord] = {}
    topic = "llm.requests.dlq"
    with RecordsConsumer(servers, [topic], from_beginning=True) as consumer:
        for record in consumer.records(until_idle=20.0):
            reasons = dict(record.headers)
            if reasons[_ERRORS + "topic"] != REQUESTS.encode():
                continue  # of another test's app
            place = (reasons[_ERRORS + "partition"], reasons[_ERRORS + "offset"])
            found.setdefault(place, record)
            if len(found) == count:
                break
        extra = [*consumer.records(until_idle=1.0)]
    assert len(found) == count
    assert not extra
    return [*found.values()]
