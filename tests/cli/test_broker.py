from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "broker"]


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 - our own command line
        [*COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.mark.broker
def test_up_status_down(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    port, controller_port = free_ports(2)
    here = ["--port", str(port)]
    address = f"127.0.0.1:{port}"
    assert run("status", *here) == (3, f"Kafka at {address} is down\n")
    try:
        code, told = run(
            "up",
            *here,
            *("--controller-port", str(controller_port)),
            *("--data-dir", str(tmp_path)),
        )
        assert (code, told) == (0, f"Kafka answers at {address}\n")
        code, told = run("status", *here)
        assert code == 0
        rows = dict(line.split(maxsplit=1) for line in told.splitlines())
        assert rows["bootstrap"] == address
        assert rows["topics"] == "0"
        assert rows["data"] == str(tmp_path)
        assert rows["pid"].isdigit()
    finally:
        code, told = run("down", *here, "--wipe")
    assert told == f"Kafka at {address} is stopped; its topics are deleted\n"
    assert not (tmp_path / "topics").exists()
    assert run("down", *here) == (0, f"Kafka at {address} was not running\n")


def test_fetch_says_where_the_jars_are() -> None:
    code, told = run("fetch")
    assert code == 0
    folder = Path(told.removeprefix("Kafka's jars are in ").strip())
    assert list(folder.glob("kafka-clients-*.jar"))
