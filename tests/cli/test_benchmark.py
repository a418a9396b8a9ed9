from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from streams.cli import app
from streams.errors import ConfigError


def _run(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  our own command
        [
            *(sys.executable, "-c", "from streams.cli import main; main()"),
            *("benchmark", *arguments),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_throughput_prints_json_and_writes_a_chart(tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    told = msgspec.json.decode(
        _run(
            *("throughput", "--quick", "--rounds", "1", "--json"),
            *("--only", "decode_engine", "--only", "confluent_fastavro"),
            *("--chart", str(chart)),
        )
    )
    assert told["events"] == 60_000
    assert told["decode_engine"] > 0
    assert told["peers"]["confluent_fastavro"] > 0
    assert ET.fromstring(chart.read_text()).tag.endswith("svg")  # noqa: S314  our own file


def test_throughput_shows_a_table() -> None:
    shown = _run("throughput", "--quick", "--rounds", "1", "--only", "engine")
    assert "engine, decoded chunks" in shown
    assert "60,000 events of 12,000 accounts" in shown


def test_sketch_prints_json() -> None:
    told = msgspec.json.decode(_run("sketch", "--rounds", "1", "--json"))
    assert told["code"]["many_us"] > 0


@pytest.mark.broker
def test_reporter_shows_a_table() -> None:
    shown = _run("reporter", "--quick", "--rounds", "1")
    assert "6,000 events from one thread" in shown
    assert "RequestReporter" in shown


def test_an_unknown_contestant_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="--only spark: the contestants are pipeline"):
        app(["benchmark", "throughput", "--only", "spark"], exit_on_error=False)
