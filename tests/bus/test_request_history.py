from __future__ import annotations

import time

import pytest
from confluent_kafka import Producer

from streams.bus.kafka_settings import admin_client, producer_settings
from streams.bus.request_history import RequestHistory
from streams.config import Config
from streams.contracts import decode, encode
from streams.errors import BrokerUnavailable, TopicMismatch

MINUTE = 60_000
HOUR = 60 * MINUTE
NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC


def event(number: int, time: int) -> bytes:
    fields = {
        "event_id": f"e{number}",
        "occurred_at": time,
        "account_id": f"a{number}",
        "request_model": "m",
    }
    return encode("RequestEvent", fields)


def publish(bootstrap: str, events: list[tuple[bytes | None, int]]) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for number, (value, sent) in enumerate(events):
        producer.produce("llm.requests", value, f"a{number}", timestamp=sent)
    assert producer.flush(20) == 0


def numbers(history: RequestHistory) -> list[str]:
    values = [value for value, _ in history.records()]
    assert history.total == len(values)
    return sorted(decode("RequestEvent", value)["event_id"] for value in values)


@pytest.mark.broker
def test_history_is_counted_back_from_the_newest_event(topics: str) -> None:
    # One event an hour for four days; each is sent a minute after it happened.
    times = [NOON + hour * HOUR for hour in range(96)]
    events = [event(n, time) for n, time in enumerate(times)]
    publish(topics, [(e, t + MINUTE) for e, t in zip(events, times, strict=True)])
    day = RequestHistory(topics, 24 * 60, max_future=0)
    assert day.since == times[-1] - 24 * HOUR
    assert numbers(day) == [f"e{n}" for n in range(71, 96)]
    # An event may be sent up to so many hours before its own time.
    wider = RequestHistory(topics, 24 * 60, max_future=5)
    assert wider.since == day.since
    assert numbers(wider) == [f"e{n}" for n in range(66, 96)]
    assert len(numbers(RequestHistory(topics, 9999 * 60))) == 96


@pytest.mark.broker
def test_the_newest_event_need_not_be_the_last_one_and_some_are_no_events(
    topics: str,
) -> None:
    events = [(event(n, NOON - n * HOUR), NOON) for n in range(40)]
    publish(topics, [*events, (b"broken", NOON)])
    history = RequestHistory(topics, 60, max_future=0)
    # Each partition is asked for its last record; that of the newest event is among
    # them only when nothing came after it there.
    assert NOON - 40 * HOUR <= history.since <= NOON - HOUR
    values = [value for value, _ in history.records()]
    assert len(values) == 41
    assert {stamp for _, stamp in history.records()} == {NOON}


@pytest.mark.broker
def test_a_topic_without_events_has_no_history(topics: str) -> None:
    history = RequestHistory(topics, 60)
    assert (history.total, history.since) == (0, 0)
    assert list(history.records()) == []
    publish(topics, [(None, NOON)])
    assert list(RequestHistory(topics, 60).records()) == []


@pytest.mark.broker
def test_without_the_topic_it_says_what_to_do(topics: str) -> None:
    admin = admin_client(topics)
    admin.delete_topics(["llm.requests"])["llm.requests"].result()
    while "llm.requests" in admin.list_topics(timeout=10).topics:
        time.sleep(0.05)
    with pytest.raises(TopicMismatch, match="run: distillwatch topics apply"):
        RequestHistory(topics, 60)


def test_without_a_broker_it_says_how_to_start_one() -> None:
    with pytest.raises(BrokerUnavailable, match="distillwatch broker up"):
        RequestHistory("127.0.0.1:1", 60)
