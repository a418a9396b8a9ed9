from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer

from streams.bus.kafka_settings import producer_settings
from streams.config import Config
from streams.contracts import Action, Alert, Evidence, encode_record

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "tail"]
NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC


def alert(number: int) -> bytes:
    return encode_record(
        Alert(
            alert_id=f"c-{number}/1",
            campaign_id=f"c-{number}",
            sequence=1,
            kind="campaign_found",
            severity="warning",
            occurred_at=NOON,
            started_at=NOON,
            summary="Young accounts share a template.",
            e_value=100.0,
            account_count=12,
            exchange_count=300,
        )
    )


def action(subject: str) -> bytes:
    return encode_record(
        Action(
            action_id="x",
            subject=subject,
            sequence=1,
            rung="throttle",
            mode="shadow",
            issued_at=NOON,
            expires_at=NOON + 3_600_000,
            campaign_id="c-0",
            evidence=Evidence(e_value=99.0, budget_spent=0.01),
        )
    )


def publish(
    bootstrap: str, topic: str, records: Sequence[tuple[str, bytes | None]]
) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for key, value in records:
        producer.produce(topic, value, key)
    assert producer.flush(20) == 0


def run(*arguments: str) -> tuple[int, list[str], str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603  our own command line
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.broker
def test_what_lies_on_both_topics_is_shown_from_the_beginning(topics: str) -> None:
    publish(topics, "llm.alerts", [("c-1", alert(1)), ("c-9", b"no alert")])
    publish(
        topics,
        "llm.actions",
        [("account:a", action("account:a")), ("account:a", None)],
    )
    every = ("--bootstrap", topics, "--from-beginning")
    code, lines, error = run(*every, "--until-idle", "2")
    assert (code, error) == (0, "")
    assert sorted(line[20:].split(":")[0] for line in lines if line[0] == "2") == [
        "lifted   account",
        "shadow   throttle account",
        "warning  c-1 campaign_found",
    ]
    (unread,) = (line for line in lines if line[0] != "2")
    assert unread.startswith("llm.alerts[0]@1 cannot be read: UndecodableRecord")

    code, lines, error = run(*every, "--json", "--actions", "--max", "2")
    assert (code, error) == (0, "")
    told = [json.loads(line) for line in lines]
    assert [each["topic"] for each in told] == ["llm.actions"] * 2
    assert told[0]["rung"] == "throttle"
    assert told[1] == {"topic": "llm.actions", "subject": "account:a", "lifted": True}

    code, lines, _ = run(*every, "--json", "--alerts", "--until-idle", "2")
    assert [json.loads(line)["topic"] for line in lines] == ["llm.alerts"] * 2


@pytest.mark.broker
def test_it_follows_line_by_line_and_ends_at_ctrl_c(topics: str) -> None:
    publish(topics, "llm.alerts", [("c-0", alert(0))])
    with started("--bootstrap", topics, "--json", "--from-beginning") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())  # it is at the end now
        publish(topics, "llm.alerts", [("c-1", alert(1))])
        second = json.loads(process.stdout.readline())
        assert (first["campaign_id"], second["campaign_id"]) == ("c-0", "c-1")
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=60)
    assert (rest, error) == ("", "")
    assert process.returncode == 128 + signal.SIGINT


@pytest.mark.broker
def test_it_ends_without_a_word_when_its_reader_is_gone(topics: str) -> None:
    publish(topics, "llm.alerts", [(f"c-{n}", alert(n)) for n in range(500)])
    with started("--bootstrap", topics, "--json", "--from-beginning") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


@pytest.mark.broker
def test_a_missing_topic_and_a_silent_broker_are_told_in_one_line(
    broker: str,
) -> None:
    code, lines, error = run("--bootstrap", broker, "--until-idle", "1")
    assert (code, lines) == (1, [])
    assert error.startswith("TopicMismatch: topic llm.a")
    assert "distillwatch topics apply" in " ".join(error.split())
    code, lines, error = run("--bootstrap", "127.0.0.1:1")
    assert (code, lines) == (1, [])
    assert error.startswith("BrokerUnavailable: no broker answers at 127.0.0.1:1")


def test_the_bootstrap_servers_come_from_the_environment_too() -> None:
    environment = {**os.environ, "DISTILLWATCH_BOOTSTRAP": "127.0.0.1:2"}
    done = subprocess.run(  # noqa: S603  our own command line
        COMMAND, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert "no broker answers at 127.0.0.1:2" in done.stderr
