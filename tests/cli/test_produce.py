from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bus.cloudevents import parse
from streams.bus.records_consumer import RecordsConsumer
from streams.cli.produce import parse_speed
from streams.contracts import iter_datums, write_container
from streams.errors import ConfigError

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "produce"]
NOW = 1_760_000_000_000


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.avro"
    records = [
        {
            "event_id": f"event-{number}",
            "occurred_at": NOW + number,
            "account_id": f"account-{number % 50}",
            "request_model": "model",
        }
        for number in range(1000)
    ]
    write_container(path, "RequestEvent", records)
    return path


@pytest.mark.broker
def test_every_event_of_the_file_arrives_as_it_is(topics: str, events: Path) -> None:
    code, told, error = run(str(events), "--bootstrap", topics, "--speed", "10x")
    assert (code, error) == (0, "")
    assert told.startswith("1,000 of 1,000 events delivered to llm.requests at 127.")
    with RecordsConsumer(topics, ["llm.requests"], from_beginning=True) as consumer:
        records = list(consumer.records(until_idle=1.0))
    values = [record.value for record in records if record.value is not None]
    assert sorted(values) == sorted(iter_datums(events))
    times = sorted(parse(record.headers).time_ms - NOW for record in records)
    assert times == [*range(1000)]


@pytest.mark.broker
def test_events_that_kafka_does_not_take_are_told_by_the_exit_code(
    topics: str, tmp_path: Path
) -> None:
    large = {
        "event_id": "e",
        "occurred_at": NOW,
        "account_id": "a",
        "request_model": "m",
        "sketch": bytes(2_000_000),  # more than message.max.bytes
    }
    path = tmp_path / "large.avro"
    write_container(path, "RequestEvent", [large])
    code, told, error = run(str(path), "--bootstrap", topics)
    assert code == 1
    assert told.startswith("0 of 1 events delivered")
    assert "lost: 1 failed" in error


def test_what_cannot_be_sent_is_told_in_one_line(tmp_path: Path, events: Path) -> None:
    code, _, error = run(str(tmp_path / "none.avro"))
    assert code == 1
    assert error.startswith("ConfigError")
    code, _, error = run(str(events), "--speed", "warp")
    assert code == 1
    assert error.startswith("ConfigError: --speed warp is none of max, realtime")
    code, _, error = run(str(events), "--bootstrap", "127.0.0.1:1")
    assert code == 1
    assert error.startswith("BrokerUnavailable")


@given(st.decimals(min_value="0.01", max_value=10**6, places=2))
def test_a_speed_is_a_factor(factor: object) -> None:
    assert parse_speed(f"{factor}x") == parse_speed(f"{factor}") == float(str(factor))


@pytest.mark.parametrize("text", ["", "0", "0.0x", "-1x", "x", "1e3", "nan", "inf"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--speed"):
        parse_speed(text)
