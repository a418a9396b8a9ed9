"""What is decided is compared with what a real enforcer acknowledges."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from action_samples import action, publish
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families
from waiting import until

from streams.bus.broker import DevBroker
from streams.bus.cloudevents import parse
from streams.bus.kafka_settings import admin_client, producer_settings
from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.bus.topics import apply_topics
from streams.config import Config
from streams.contracts import Ack, Action, Alert, decode_record, encode_record
from streams.sdk.reconciler import Reconciler

WAIT = 60.0  # s
WITHIN = 2  # s
COMMAND = [sys.executable, "-c", "from streams.cli import main; main()"]


def lasting(subject: str, sequence: int = 1, **changes: object) -> Action:
    now = int(time.time() * 1000)
    times = {"issued_at": now - 3_600_000, "expires_at": now + 600_000}
    return action(subject, sequence, **times | changes)


def acknowledge(bootstrap: str, each: Action, outcome: str, enforcer: str) -> None:
    now = int(time.time() * 1000)
    ack = Ack(
        ack_id=f"{enforcer}-{each.action_id}-{outcome}-{now}",
        subject=each.subject,
        action_id=each.action_id,
        sequence=each.sequence,
        outcome=outcome,
        enforcer=enforcer,
        occurred_at=now,
    )
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    producer.produce("llm.acks", encode_record(ack), ack.subject)
    assert producer.flush(20) == 0


def alert_records(bootstrap: str) -> list[tuple[Alert, ReceivedRecord]]:
    with RecordsConsumer(bootstrap, ["llm.alerts"], from_beginning=True) as consumer:
        return [
            (decode_record(Alert, record.value or b""), record)
            for record in consumer.records_to_end()
        ]


def threads(bootstrap: str) -> dict[str, list[str]]:
    """Give the severities told in each thread, in order."""
    told: dict[str, list[str]] = {}
    for alert, _ in alert_records(bootstrap):
        told.setdefault(alert.campaign_id, []).append(alert.severity)
    return told


class Running:
    """A `distillwatch` process that prints lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def state(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read states up to one that is wanted."""
        while line := self.line():
            state: dict[str, Any] = json.loads(line)
            if wanted(state):
                return state
        raise AssertionError("it has ended")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def started(*arguments: str) -> Iterator[Running]:
    with subprocess.Popen(  # noqa: S603  our own command line
        [*COMMAND, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


@contextmanager
def enforcer(bootstrap: str, port: int, *more: str) -> Iterator[Running]:
    with started(
        *("enforcer", "--bootstrap", bootstrap, "--port", str(port)),
        *("--name", "edge-1", *more),
    ) as running:
        assert "edge-1" in running.line()
        yield running


def once(bootstrap: str, *more: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(  # noqa: S603  our own command line
        [
            *(*COMMAND, "reconcile", "--bootstrap", bootstrap, "--once", "--json"),
            *("--within", str(WITHIN), *more),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def scrape(port: int) -> dict[tuple[str, str], float]:
    """Give the value of each sample by its name and enforcer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name, sample.labels.get("enforcer", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "le" not in sample.labels
    }


def of(state: dict[str, Any], name: str) -> dict[str, Any]:
    found = [each for each in state["enforcers"] if each["enforcer"] == name]
    return found[0] if found else {"enforced": 0, "overdue": 0, "releases_overdue": 0}


def test_complaint_5_an_enforcer_that_is_away_is_told_and_told_well_again(
    topics: str, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    http, metrics = free_ports(2)
    snapshot = ("--snapshot", str(tmp_path / "snapshot"))
    command = (
        *("reconcile", "--bootstrap", topics, "--within", str(WITHIN), "--json"),
        *("--listen", f"127.0.0.1:{metrics}"),
    )
    with enforcer(topics, http, *snapshot) as edge, started(*command) as reconcile:
        reconcile.state(lambda state: not state["desired"])
        publish(topics, lasting("account:1"))
        reconcile.state(lambda state: of(state, "edge-1")["enforced"] == 1)
        edge.process.send_signal(signal.SIGINT)  # it keeps a snapshot
        edge.process.wait()
        publish(topics, lasting("account:2"), ("account:1", None))
        until(lambda: len(alert_records(topics)) == 1, "no alarm")
        reconcile.state(lambda state: of(state, "edge-1")["releases_overdue"] == 1)
        seen = scrape(metrics)
        assert seen["distillwatch_actions_desired", ""] == 1
        assert seen["distillwatch_actions_overdue", "edge-1"] == 1
        assert seen["distillwatch_actions_overdue", ""] == 0
        assert seen["distillwatch_decision_to_enforced_seconds_count", "edge-1"] == 1
        took = seen["distillwatch_decision_to_enforced_seconds_sum", "edge-1"]
        assert took < 600  # not from the event time, an hour ago
        progress = seen["distillwatch_reconcile_progress_timestamp_seconds", ""]
        assert abs(time.time() - progress) < WAIT
        reconcile.kill()

    (alert, record), *_ = alert_records(topics)
    assert (alert.kind, alert.severity, alert.sequence) == (
        "not_enforced",
        "critical",
        1,
    )
    assert alert.campaign_id == "enforcement:edge-1"
    assert alert.occurred_at - alert.started_at > WITHIN * 1000
    assert record.key == b"enforcement:edge-1"
    assert parse(record.headers).event_id == alert.alert_id
    before = threads(topics)
    code, state = once(topics)
    assert (code, state["well"]) == (1, False)
    assert {each["subject"] for each in of(state, "edge-1")["oldest"]} == {
        "account:1",
        "account:2",
    }

    with started(*command) as reconcile:
        reconcile.state(lambda state: of(state, "edge-1")["overdue"] == 1)
        publish(topics, lasting("account:3", mode="shadow"))  # not to be enforced
        began, name = time.time(), "distillwatch_reconcile_progress_timestamp_seconds"
        until(lambda: scrape(metrics)[name, ""] > began, "it judges no more")
        assert threads(topics) == before
        with enforcer(topics, http, *snapshot):
            until(
                lambda: threads(topics)["enforcement:edge-1"][-1] == "info",
                "no closing update",
            )
            reconcile.state(lambda state: state["well"])
            told = [alert for alert, _ in alert_records(topics)]
            assert [each.sequence for each in told] == [*range(1, len(told) + 1)]
            assert len({each.alert_id for each in told}) == len(told)
            code, state = once(topics)
            assert (code, state["well"]) == (0, True)
            assert of(state, "edge-1")["enforced"] == 1
            assert of(state, "edge-1")["p99"] > 1  # it was away for that long


def test_an_enforcer_killed_without_a_snapshot_has_forgotten_what_it_held(
    topics: str, free_ports: Callable[[int], list[int]]
) -> None:
    """It cannot tell a release of which it does not know; that it starts anew does."""
    (http,) = free_ports(1)
    alerts: list[Alert] = []
    with Reconciler(topics, within=WITHIN) as reconciler:

        def edge() -> dict[str, Any]:
            alerts.extend(reconciler.round())
            state = reconciler.state
            found = state.enforcers if state is not None else ()
            return msgspec.to_builtins(found[0]) if found else {}

        until(lambda: reconciler.round() or reconciler.state, "not read")
        with enforcer(topics, http) as running:
            publish(topics, lasting("account:stays"), lasting("account:goes"))
            until(lambda: edge().get("enforced") == 2, "not enforced")
            running.kill()
        publish(topics, ("account:goes", None), lasting("account:new"))
        until(lambda: edge()["overdue"] and edge()["releases_overdue"], "no alarm")
        with enforcer(topics, http):
            until(lambda: edge()["enforced"] == 2 and not edge()["held"], "not well")
            until(lambda: edge() and alerts[-1].severity == "info", "not closed")


def test_complaint_3_a_release_that_is_not_honoured_is_told(topics: str) -> None:
    banned = lasting("account:1")
    publish(topics, banned)
    acknowledge(topics, banned, "applied", "edge-2")
    with Reconciler(topics, within=WITHIN) as reconciler:

        def state(releases_overdue: int) -> bool:
            reconciler.round()
            told = reconciler.state
            return told is not None and [
                each.releases_overdue for each in told.enforcers
            ] == [releases_overdue]

        until(lambda: state(0), "not read")
        publish(topics, ("account:1", None))
        until(lambda: state(1), "not noticed")
        acknowledge(topics, banned, "released", "edge-2")
        until(lambda: state(0), "not noticed")
        until(lambda: len(alert_records(topics)) == 2, "no closing update")
    opening, closing = (alert for alert, _ in alert_records(topics))
    assert "still enforced after the end" in opening.summary
    assert opening.accounts == ("1",)
    assert (closing.severity, closing.account_count) == ("info", 0)


def test_actions_that_nobody_acknowledges_are_an_alarm(topics: str) -> None:
    publish(topics, lasting("account:1"))
    with Reconciler(topics, within=WITHIN) as reconciler:
        (alert,) = until(reconciler.round, "no alarm")
    assert (alert.campaign_id, alert.severity) == ("enforcement", "critical")
    assert "nobody has acknowledged anything" in alert.summary
    assert once(topics)[0] == 1
    code, state = once(topics, "--enforcer", "edge-1", "--enforcer", "edge-2")
    assert code == 1
    assert [each["overdue"] for each in state["enforcers"]] == [1, 1]


def test_a_topic_made_anew_is_read_from_its_beginning(topics: str) -> None:
    publish(topics, *(lasting(f"account:{n}") for n in range(50)))
    with Reconciler(topics, within=WAIT, enforcers=["edge-1"]) as reconciler:

        def desired() -> int:
            reconciler.round()
            return reconciler.state.desired if reconciler.state else -1

        until(lambda: desired() == 50, "not read")
        admin = admin_client(topics)
        admin.delete_topics(["llm.actions"])["llm.actions"].result()
        until(
            lambda: "llm.actions" not in admin.list_topics(timeout=10).topics,
            "not deleted",
        )
        apply_topics(topics)
        publish(topics, lasting("account:new"))
        until(lambda: desired() == 1, "what is gone still stands")


def test_nothing_is_judged_while_the_broker_is_away(
    own_broker: tuple[DevBroker, str],
) -> None:
    broker, bootstrap = own_broker
    with Reconciler(bootstrap, within=5, enforcers=["edge-1"]) as reconciler:
        alerts: list[Alert] = []

        def at() -> int:
            alerts.extend(reconciler.round())
            return reconciler.state.at if reconciler.state else 0

        until(at, "not read")
        banned = lasting("account:1")
        publish(bootstrap, banned)
        broker.down()
        stopped = time.time() * 1000
        until(lambda: at() and time.time() * 1000 > stopped + 8000, "no time passes")
        assert at() < stopped + 2000
        broker.up(lambda *_: None)
        acknowledge(bootstrap, banned, "applied", "edge-1")
        back = time.time() * 1000
        until(lambda: at() > back, "it does not go on")
        assert reconciler.state is not None
        assert reconciler.state.enforcers[0].enforced == 1
    assert alerts == []
    assert alert_records(bootstrap) == []
