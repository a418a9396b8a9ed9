from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "demo"]
PIPELINE = Path(__file__).parent.parent / "integration" / "pipeline.toml"


def _start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a demonstration whose folders all lie in ``tmp_path``."""
    return subprocess.Popen(  # noqa: S603  our own command line
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path), "DISTILLWATCH_APP_ID": "another"},
    )


def _processes(tmp_path: Path, port: int) -> list[psutil.Process]:
    """Find what a demonstration has left behind."""
    marks = (str(tmp_path), f"127.0.0.1:{port}")
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if any(mark in line for mark in marks) and process.pid != os.getpid():
            found.append(process)
    return found


@pytest.mark.broker
def test_a_plain_campaign_is_found_and_nothing_is_left(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    port, _ = free_ports(2)
    arguments = ("--scenario", str(PIPELINE), "--port", str(port))
    with _start(tmp_path, *arguments) as process:
        told, _ = process.communicate()
    assert process.returncode == 0, told
    assert "failed" not in told
    for line in (
        r"\d s  simulating pipeline",
        rf"\d s  starting Kafka on port {port}",
        r"\d s  starting 2 workers",
        r"critical dc-\w+ campaign_found: \d+ accounts",
        r"shadow   observe account:\w+",
        r"further actions are only counted",
        r"\d s  stopping the workers and Kafka",
        r"campaigns found +│ 1 of 1 ",
        r"accounts actioned +│ 40 right, 0 wrong",
        r"before the first alert +│ \d+\.\d%",
    ):
        assert re.search(line, told), f"{line} is not in:\n{told}"
    assert not [*tmp_path.iterdir()]
    assert not _processes(tmp_path, port)


@pytest.mark.broker
def test_a_campaign_that_is_not_found_is_a_failure_and_a_kept_broker_runs_on(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    port, _ = free_ports(2)
    # Four accounts are below what is ever tested.
    hidden = PIPELINE.read_text("utf-8").replace("accounts = 40", "accounts = 4")
    scenario = tmp_path / "hidden.toml"
    scenario.write_text(hidden, "utf-8")
    where = ("--port", str(port))
    with _start(
        tmp_path, "--scenario", str(scenario), "--keep", "--workers", "1", *where
    ) as process:
        told, _ = process.communicate()
    down = re.search(r"distillwatch (broker down .*)", told)
    assert down is not None, told
    try:
        assert process.returncode == 1, told
        assert "\nfailed: campaign graders was not found\n" in told
        assert f"distillwatch tail --bootstrap 127.0.0.1:{port}" in told
        (broker,) = _processes(tmp_path, port)
        (folder,) = tmp_path.glob("distillwatch-demo-*")
        assert (folder / "alerts.jsonl").read_bytes() == b""
        assert (folder / "truth.csv").is_file()
    finally:
        main = [*COMMAND[:-1], *down[1].split()]
        subprocess.run(main, check=True, capture_output=True)  # noqa: S603  ours
    assert not broker.is_running()


@pytest.mark.broker
def test_ctrl_c_ends_everything_in_order(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    port, _ = free_ports(2)
    arguments = ("--scenario", str(PIPELINE), "--port", str(port))
    with _start(tmp_path, *arguments) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("starting 2 workers"):
                break
        while not any("spawn_main" in line for line in _children(process)):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 128 + signal.SIGINT
    assert not [*tmp_path.iterdir()]
    assert not _processes(tmp_path, port)


def _children(process: subprocess.Popen[str]) -> list[str]:
    """Give the command lines of all processes below one."""
    lines = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # gone or a zombie by now
            lines.append(" ".join(child.cmdline()))
    return lines


@pytest.mark.broker
def test_a_running_broker_is_not_taken(broker: str, tmp_path: Path) -> None:
    port = broker.rpartition(":")[2]
    with _start(tmp_path, "--scenario", str(PIPELINE), "--port", port) as process:
        told, _ = process.communicate()
    assert process.returncode == 1
    assert "runs at 127.0.0.1" in told
