"""Parts of reconciliation on a real broker; the whole is in tests/integration."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from action_samples import action, publish
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from streams.bus.kafka_settings import producer_settings
from streams.bus.records_consumer import RecordsConsumer
from streams.config import Config
from streams.contracts import Ack, Action, Alert, decode_record, encode_record
from streams.errors import BrokerUnavailable, TopicMismatch
from streams.sdk.reconcile_metrics import ReconcileMetrics
from streams.sdk.reconciler import Reconciler, enforcement_now

WAIT = 60.0  # s


def lasting(subject: str) -> Action:
    now = int(time.time() * 1000)
    return action(subject, issued_at=now, expires_at=now + 600_000)


def send(bootstrap: str, topic: str, *records: tuple[str, bytes]) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for key, value in records:
        producer.produce(topic, value, key)
    assert producer.flush(20) == 0


def applied(made: Action, enforcer: str) -> tuple[str, bytes]:
    ack = Ack(
        ack_id=f"{enforcer}-{made.action_id}",
        subject=made.subject,
        action_id=made.action_id,
        sequence=made.sequence,
        outcome="applied",
        enforcer=enforcer,
        occurred_at=int(time.time() * 1000),
    )
    return made.subject, encode_record(ack)


def alert(thread: str, sequence: int, severity: str) -> tuple[str, bytes]:
    return thread, encode_record(
        Alert(
            alert_id=f"{thread}-{sequence}",
            campaign_id=thread,
            sequence=sequence,
            kind="not_enforced",
            severity=severity,
            occurred_at=0,
            started_at=0,
            summary="",
            e_value=0.0,
            account_count=1,
            exchange_count=0,
        )
    )


def rounds(reconciler: Reconciler, done: Callable[[], object]) -> list[Alert]:
    deadline, alerts = time.monotonic() + WAIT, reconciler.round()
    while not done():
        assert time.monotonic() < deadline
        alerts += reconciler.round()
    return alerts


def test_what_cannot_be_read_is_counted_and_skipped(
    topics: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = lasting("account:1")
    publish(topics, ("account:2", b"\xc3\x01no action, secret-text"), made)
    send(topics, "llm.acks", ("account:1", b"secret-text"), applied(made, "edge-1"))
    registry = CollectorRegistry()
    metrics = ReconcileMetrics(registry)
    with Reconciler(topics, within=WAIT, metrics=metrics) as reconciler:
        rounds(reconciler, lambda: reconciler.state)
        assert reconciler.state is not None
        assert [each.enforced for each in reconciler.state.enforcers] == [1]
        for topic in ("llm.actions", "llm.acks"):
            assert registry.get_sample_value(
                "distillwatch_reconcile_unreadable_total", {"topic": topic}
            )
        # What happened before it was there is no measurement of now.
        name = "distillwatch_decision_to_enforced_seconds_count"
        labels = {"enforcer": "edge-1", "rung": "suspend"}
        assert registry.get_sample_value(name, labels) is None
        later = lasting("account:3")
        publish(topics, later)
        send(topics, "llm.acks", applied(later, "edge-1"))
        rounds(reconciler, lambda: registry.get_sample_value(name, labels) == 1)
    assert "llm.acks[" in caplog.text
    assert "secret-text" not in caplog.text
    state = enforcement_now(topics, within=WAIT)
    assert [each.enforced for each in state.enforcers] == [2]
    assert state.enforcers[0].p99 is not None


def test_threads_go_on_where_the_topic_of_alerts_has_left_them(topics: str) -> None:
    """The newest alert of a thread counts, among those of others and of nobody."""
    send(
        topics,
        "llm.alerts",
        alert("enforcement:edge-1", 7, "critical"),
        alert("enforcement:edge-1", 6, "info"),
        alert("enforcement-of-laws", 9, "critical"),
        ("enforcement:edge-2", b"no alert"),
        alert("enforcement:edge-2", 3, "info"),
        alert("dc-1", 1, "critical"),
    )
    with Reconciler(topics, within=1, enforcers=["edge-1", "edge-2"]) as reconciler:
        deadline, told = time.monotonic() + WAIT, reconciler.round()
        while not told:
            assert time.monotonic() < deadline
            told = reconciler.round()
    (closing,) = told
    assert (closing.campaign_id, closing.sequence) == ("enforcement:edge-1", 8)
    assert closing.severity == "info"


def test_alerts_on_their_way_are_delivered_at_the_end(topics: str) -> None:
    publish(topics, lasting("account:1"))
    with Reconciler(topics, within=0.1, enforcers=["edge-1"]) as reconciler:
        rounds(reconciler, lambda: reconciler.state and not reconciler.state.well)
    with RecordsConsumer(topics, ["llm.alerts"], from_beginning=True) as consumer:
        alerts = [
            decode_record(Alert, record.value or b"")
            for record in consumer.records_to_end()
        ]
    assert [each.campaign_id for each in alerts] == ["enforcement:edge-1"]


def test_a_broker_or_a_topic_that_is_not_there_is_told(broker: str) -> None:
    with pytest.raises(BrokerUnavailable):
        Reconciler("127.0.0.1:1", within=1)
    with pytest.raises(TopicMismatch, match=r"llm\.alerts"):
        Reconciler(broker, within=1)
    with pytest.raises(TopicMismatch, match=r"llm\.actions"):
        enforcement_now(broker, within=1)
