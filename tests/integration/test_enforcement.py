"""Actions on a real broker reach enforcers, and enforcers answer."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from action_samples import action, publish
from waiting import until

from streams.bus.broker import DevBroker
from streams.bus.cloudevents import parse
from streams.bus.kafka_settings import admin_client
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.bus.topics import apply_topics
from streams.contracts import Ack, Action, decode_record, encode_record
from streams.engine.murmur2 import partition_of
from streams.sdk.acknowledger import Acknowledger, ack_latency
from streams.sdk.action_view import ActionView
from streams.sdk.view_snapshot import read_snapshot, write_snapshot

WAIT = 20.0  # s


def lasting(subject: str = "account:1", sequence: int = 1, **changes: object) -> Action:
    now = int(time.time() * 1000)
    times = {"issued_at": now, "expires_at": now + 600_000}
    return action(subject, sequence, **times | changes)


def acks(bootstrap: str) -> list[tuple[Ack, ReceivedRecord]]:
    with RecordsConsumer(bootstrap, ["llm.acks"], from_beginning=True) as consumer:
        return [
            (decode_record(Ack, record.value or b""), record)
            for record in consumer.records(until_idle=1.0)
        ]


def outcomes(bootstrap: str) -> dict[str, list[str]]:
    """Give the outcomes told of each action id, in order."""
    told: dict[str, list[str]] = {}
    for ack, _ in acks(bootstrap):
        told.setdefault(ack.action_id, []).append(ack.outcome)
    return told


def test_complaint_4_a_decision_reaches_the_enforcer_and_is_acknowledged(
    topics: str,
) -> None:
    before = lasting("account:before")
    publish(topics, before, lasting("account:gone"), ("account:gone", None))
    with (
        Acknowledger(topics, enforcer="gateway-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger) as view,
    ):
        assert view.wait_ready(WAIT)
        assert view.state == "live"
        assert view.decide("before").action == view.get("account:before")
        assert view.decide("gone").action is None
        later = lasting("facet:network:n", rung="throttle")
        publish(topics, later)
        until(lambda: view.decide("x", {"network": "n"}).rung, "it was not enforced")
        publish(topics, lasting("account:dry", mode="shadow"), ("account:before", None))
        until(lambda: view.get("account:dry"), "shadow is visible")
        until(lambda: not view.get("account:before"), "it was not lifted")
        assert view.decide("dry").rung is None
        assert len(view.stats.latencies) == 1  # what stood before is no measurement
        until(lambda: acknowledger.stats.delivered == 3, "not acknowledged")
    assert outcomes(topics) == {
        before.action_id: ["applied", "released"],
        later.action_id: ["applied"],
    }
    for ack, record in acks(topics):
        assert record.key == ack.subject.encode()
        assert record.partition == partition_of(ack.subject, 4)
        event = parse(record.headers)
        assert (event.event_id, event.time_ms) == (ack.ack_id, ack.occurred_at)
        assert event.event_type == "io.distillwatch.Ack"
        assert event.source == "urn:distillwatch:enforcer:gateway-1"
        assert ack.enforcer == "gateway-1"


def test_complaint_4_two_enforcers_with_the_same_actions_have_the_same_checksum(
    topics: str,
) -> None:
    publish(topics, *(lasting(f"account:{n}", n) for n in range(50)))
    with ActionView(topics) as first:
        assert first.wait_ready(WAIT)
        publish(topics, lasting("account:3", 99), ("account:7", None))
        until(lambda: first.stats.received == 52, "not followed")
        with ActionView(topics) as second:
            assert second.wait_ready(WAIT)
            at = int(time.time() * 1000)
            assert first.checksum(at) == second.checksum(at)
            assert len(second.actions()) == 49
            told = first.checksum(at)
            publish(topics, lasting("account:3", 100))
            until(lambda: first.checksum(at) != told, "not followed")
            until(lambda: first.checksum(at) == second.checksum(at), "not the same")
            assert first.checksum(at + 10**9) == "0" * 32  # all are over by then


def test_complaint_10_what_cannot_be_read_is_counted_and_does_not_stop_the_view(
    topics: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish(topics, lasting("account:1"))
    with ActionView(topics) as view:
        assert view.wait_ready(WAIT)
        other = lasting("account:2")
        publish(
            topics,
            ("account:1", b"\xc3\x01garbage"),
            ("account:1", b""),
            ("account:1", encode_record(other)),
            ("account:3", b'{"secret-text": 1}'),
            lasting("account:1", 2, rung="throttle"),
        )
        until(lambda: view.decide("1").rung == "throttle", "the rest was not read")
        until(lambda: view.stats.undecodable == 4, "not counted")
        assert view.stats.last_undecodable.startswith("llm.actions[")
        assert view.get("account:2") is None
        assert view.stats.failures == 0
    assert "llm.actions[" in caplog.text
    assert "secret-text" not in caplog.text


def test_complaint_3_a_lift_reaches_the_enforcer_that_was_away_for_long(
    topics: str, tmp_path: Path
) -> None:
    """The tombstone itself was compacted away meanwhile."""
    ghost, kept = lasting("account:ghost"), lasting("account:kept")
    snapshot = tmp_path / "actions"
    write_snapshot(snapshot, "llm.actions", ghost.issued_at, {}, [ghost, kept])
    publish(topics, kept)
    with (
        Acknowledger(topics, enforcer="gateway-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger, snapshot_path=snapshot) as view,
    ):
        assert view.wait_ready(WAIT)
        assert view.decide("ghost").rung is None
        assert view.decide("kept").rung == "suspend"
        until(lambda: acknowledger.stats.delivered, "not acknowledged")
    assert outcomes(topics) == {ghost.action_id: ["released"]}
    again = read_snapshot(snapshot, "llm.actions")
    assert again is not None
    assert [each.subject for each in again.actions] == ["account:kept"]


def test_complaint_5_the_delay_from_decision_to_enforcement_is_measured(
    topics: str,
) -> None:
    with (
        Acknowledger(topics, enforcer="gateway-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger) as view,
    ):
        assert view.wait_ready(WAIT)
        issued = {a.action_id: a for a in (lasting(f"account:{n}") for n in range(20))}
        publish(topics, *issued.values())
        until(lambda: acknowledger.stats.delivered == 20, "not acknowledged")
        told = [ack_latency(ack, issued[ack.action_id]) for ack, _ in acks(topics)]
        assert sorted(told) == sorted(view.stats.latencies)
        assert min(told) >= 0


def test_complaint_8_a_topic_made_anew_is_read_from_its_beginning(topics: str) -> None:
    publish(topics, *(lasting(f"account:{n}") for n in range(100)))
    with ActionView(topics) as view:
        assert view.wait_ready(WAIT)
        admin = admin_client(topics)
        admin.delete_topics(["llm.actions"])["llm.actions"].result()
        until(
            lambda: "llm.actions" not in admin.list_topics(timeout=10).topics,
            "not deleted",
        )
        apply_topics(topics)
        publish(topics, lasting("account:new"))
        until(lambda: view.decide("new").rung, "the new topic is not followed")
        until(lambda: len(view.actions()) == 1, "what is gone still stands")


def test_an_expiry_is_kept_and_told_without_any_message(topics: str) -> None:
    now = int(time.time() * 1000)
    short = lasting("account:1", expires_at=now + 3000)
    publish(topics, short)
    with (
        Acknowledger(topics, enforcer="gateway-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger) as view,
    ):
        until(lambda: view.decide("1").rung, "it was not enforced")
        until(lambda: acknowledger.stats.delivered == 2, "not acknowledged")
        assert view.decide("1").rung is None
    assert outcomes(topics) == {short.action_id: ["applied", "expired"]}


def test_complaint_8_the_last_state_holds_while_the_broker_is_away(
    own_broker: tuple[DevBroker, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker, bootstrap = own_broker
    snapshot = tmp_path / "actions.snapshot"
    now = int(time.time() * 1000)
    publish(
        bootstrap,
        lasting("account:1"),
        lasting("account:2"),
        lasting("account:short", expires_at=now + 8000),
    )
    # Who was away for so long may have missed a tombstone for good.
    monkeypatch.setattr("streams.sdk.action_view._RELOAD_AFTER", 1.0)
    witness = ActionView(bootstrap)
    assert witness.wait_ready(WAIT)
    acknowledger = Acknowledger(bootstrap, enforcer="gateway-1")
    view = ActionView(bootstrap, acknowledger=acknowledger, snapshot_path=snapshot)
    assert view.wait_ready(WAIT)
    until(lambda: acknowledger.stats.delivered == 3, "not acknowledged")
    broker.down()
    until(lambda: view.silent_for > 2, "the loss was not noticed")
    assert view.decide("1").rung == "suspend"
    until(lambda: view.decide("short").rung is None, "it did not expire")
    until(lambda: acknowledger.stats.reported == 4, "the expiry was not told")
    view.close()
    assert view.decide("1").rung == "suspend"

    # A restart without a broker begins with what was there.
    with ActionView(
        bootstrap, acknowledger=acknowledger, snapshot_path=snapshot
    ) as again:
        assert again.state == "snapshot"
        assert not again.wait_ready(0.1)
        assert again.decide("1").rung == "suspend"
        assert again.decide("short").rung is None
        broker.up(lambda *_: None)
        publish(bootstrap, ("account:2", None))
        assert again.wait_ready(60)
        until(lambda: not again.get("account:2"), "it was not lifted")
        until(lambda: acknowledger.stats.delivered == 5, "not acknowledged")
        assert again.silent_for < 60
        until(lambda: witness.stats.received >= 2 * 3 + 1, "not read again")
        at = int(time.time() * 1000)
        until(lambda: witness.checksum(at) == again.checksum(at), "not the same")
    witness.close()
    acknowledger.close()
    # The restart told nothing twice.
    assert outcomes(bootstrap) == {
        "id-account:1-1": ["applied"],
        "id-account:2-1": ["applied", "released"],
        "id-account:short-1": ["applied", "expired"],
    }


def test_a_fork_keeps_the_state_and_says_that_it_follows_no_more(topics: str) -> None:
    publish(topics, lasting("account:1"))
    with ActionView(topics) as view:
        assert view.wait_ready(WAIT)
        child = os.fork()
        if not child:
            good = view.decide("1").rung == "suspend" and view.state == "closed"
            os._exit(0 if good and view.silent_for > 1e9 else 1)
        deadline = time.monotonic() + WAIT
        while not (done := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.02)
        assert done[1] == 0
        assert view.state == "live"
