from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Producer

from streams.bus.applied_decisions import AppliedDecisions, read_applied
from streams.bus.kafka_settings import producer_settings
from streams.config import Config
from streams.contracts import Decision, encode_record
from streams.errors import TopicMismatch


def decision(entry: str, number: int = 0, **changes: Any) -> Decision:
    fields = {
        "decision_id": f"{entry}/{number}",
        "subject": f"control:{entry}",
        "kind": "applied",
        "occurred_at": number,
        "entry_id": entry,
    }
    return Decision(**fields | changes)


def publish(bootstrap: str, *decisions: Decision | tuple[str, bytes]) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for each in decisions:
        if isinstance(each, Decision):
            each = each.subject, encode_record(each)  # noqa: PLW2901  one form for both
        key, value = each
        producer.produce("llm.decisions", value, key)
    assert producer.flush(20) == 0


@pytest.mark.broker
def test_only_what_comes_later_confirms_and_each_entry_by_itself(topics: str) -> None:
    publish(topics, decision("a", 1))
    with AppliedDecisions(topics) as applied:
        publish(
            topics,
            ("control:a", b"no decision"),
            decision("other", 2),
            decision("a", 3, kind="released", subject="account:1"),
            decision("b", 4),
            decision("b", 5),
        )
        assert applied.wait_for({"a", "b"}, 2.0) == {"b": decision("b", 4)}
        publish(topics, decision("a", 6))
        assert applied.wait_for({"a"}, 60.0) == {"a": decision("a", 6)}


@pytest.mark.broker
def test_what_was_applied_is_listed_once_and_in_order(topics: str) -> None:
    assert read_applied(topics) == []
    first, second = decision("b", 1), decision("a", 2)
    tested = decision("x", 3, kind="tested", subject="group:1", entry_id=None)
    publish(topics, first, second, tested, first, ("control:z", b""))
    assert read_applied(topics) == [first, second]


@pytest.mark.broker
def test_without_the_topic_nothing_is_waited_for(broker: str) -> None:
    with pytest.raises(TopicMismatch, match=r"llm\.decisions .*topics apply"):
        AppliedDecisions(broker)
