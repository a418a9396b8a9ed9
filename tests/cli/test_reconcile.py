from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from streams.bus.kafka_settings import producer_settings
from streams.config import Config
from streams.contracts import Action, Evidence, encode_record

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "reconcile"]


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, " ".join(done.stderr.split())


def publish(bootstrap: str, subject: str) -> None:
    now = int(time.time() * 1000)
    action = Action(
        action_id="x",
        subject=subject,
        sequence=1,
        rung="throttle",
        mode="enforce",
        issued_at=now,
        expires_at=now + 3_600_000,
        campaign_id="c-0",
        evidence=Evidence(e_value=99.0, budget_spent=0.01),
    )
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    producer.produce("llm.actions", encode_record(action), subject)
    assert producer.flush(20) == 0


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:", ":80", "127.0.0.1:70000"])
def test_a_place_to_listen_that_is_none_is_refused(listen: str) -> None:
    code, out, error = run("--bootstrap", "127.0.0.1:1", "--listen", listen)
    assert (code, out) == (1, "")
    assert (
        error == f"ConfigError: --listen {listen} is not HOST:PORT, as 127.0.0.1:9401"
    )


def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, error = run(
            "--bootstrap", "127.0.0.1:1", "--listen", f"127.0.0.1:{port}"
        )
    assert code == 1
    assert error.startswith(f"ConfigError: --listen 127.0.0.1:{port}: ")
    assert "name another" in error


@pytest.mark.parametrize("more", [["--once"], ["--listen", ""]])
def test_a_silent_broker_is_told_in_one_line(more: list[str]) -> None:
    code, out, error = run("--bootstrap", "127.0.0.1:1", *more)
    assert (code, out) == (1, "")
    assert error.startswith("BrokerUnavailable: no broker answers at 127.0.0.1:1")


@pytest.mark.broker
def test_a_missing_topic_is_told_in_one_line(broker: str) -> None:
    code, out, error = run("--bootstrap", broker, "--once")
    assert (code, out) == (1, "")
    assert error.startswith("TopicMismatch: topic llm.a")


@pytest.mark.broker
def test_once_prints_a_table_and_its_exit_code_says_whether_all_is_well(
    topics: str,
) -> None:
    code, out, error = run("--bootstrap", topics, "--once")
    assert (code, error) == (0, "")
    assert "no enforcer is expected" in out
    publish(topics, "account:1")
    code, out, _ = run("--bootstrap", topics, "--once", "--within", "0.001")
    assert code == 1
    assert "1 stand for more than 0.001 s" in out


@pytest.mark.broker
def test_alerts_are_lines_where_no_terminal_is_and_ctrl_c_ends_it(
    topics: str, free_ports: Callable[[int], list[int]]
) -> None:
    publish(topics, "account:1")
    (port,) = free_ports(1)
    with subprocess.Popen(  # noqa: S603  our own command line
        [
            *(*COMMAND, "--bootstrap", topics, "--enforcer", "edge-1"),
            *("--within", "0.5", "--listen", f"127.0.0.1:{port}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert (
            "critical edge-1: 1 action is not enforced, 0.5 s after it was due" in line
        )
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=60)
    assert (rest, error) == ("", "")
    assert process.returncode == 128 + signal.SIGINT
    code, out, _ = run(
        *("--bootstrap", topics, "--once", "--json", "--enforcer", "edge-1"),
        *("--within", "3600"),
    )
    assert code == 0
    assert json.loads(out)["enforcers"][0]["pending"] == 1
