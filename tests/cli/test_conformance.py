from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.sdk.conformance.checks import ACK_CHECKS, CHECKS

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()"]


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, "conformance", *arguments],
        env=os.environ | {"COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def enforcer(
    topics: str, free_ports: Callable[[int], list[int]], tmp_path: Path
) -> Iterator[str]:
    """Start `distillwatch enforcer` and yield its URL."""
    port = str(free_ports(1)[0])
    process = subprocess.Popen(  # noqa: S603  our own command line
        [
            *(*COMMAND, "enforcer", "--port", port, "--bootstrap", topics),
            *("--snapshot", str(tmp_path / "actions"), "--name", "reference"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"reference enforces {topics} at http://127.0.0.1:")
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()
    assert (tmp_path / "actions").stat().st_size > 0


def wait_until_served(url: str) -> None:
    import time
    import urllib.request

    for _ in range(400):
        try:
            with urllib.request.urlopen(url):  # noqa: S310  our own server
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(url)


def test_the_reference_enforcer_passes_as_a_table_and_as_json(
    topics: str, enforcer: str
) -> None:
    wait_until_served(enforcer)
    code, told, error = run("--bootstrap", topics, "--url", enforcer)
    assert (code, error) == (0, "")
    lines = told.splitlines()
    everything = CHECKS + ACK_CHECKS
    assert sum(line.startswith("kept") for line in lines) == len(everything)
    assert lines[-1].startswith(
        f"{len(everything)} of {len(everything)} rules kept by {enforcer}; decision to "
    )
    # Another header for the account: it enforces nothing.
    code, told, error = run(
        *("--bootstrap", topics, "--url", enforcer, "--account-header", "X-Other"),
        *("--within", "0.5", "--no-acks", "--json"),
    )
    assert (code, error) == (1, "")
    report = json.loads(told)
    assert report["passed"] is False
    assert [result["name"] for result in report["results"]] == [
        check.name for check in CHECKS
    ]
    broken = {r["name"]: r["violation"] for r in report["results"]}
    assert re.search("did not refuse", broken["enforce_applies"])


def test_a_facet_without_a_header_is_told() -> None:
    code, _, error = run("--url", "http://127.0.0.1:1/", "--facet", "network")
    assert code == 1
    assert error == (
        "ConfigError: --facet network is not KIND=HEADER, as network=X-Network\n"
    )
