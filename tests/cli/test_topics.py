from __future__ import annotations

import json
import subprocess
import sys

from streams.contracts import load_topics

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "topics"]


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603 - our own command line
        [*COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_check_tells_by_table_json_and_exit_code(topics: str) -> None:
    here = ("--bootstrap", topics)
    assert run("check", *here) == (0, "All topics are as topics.toml says\n", "")
    code, told, _ = run("check", *here, "--replication-factor", "2")
    assert code == 1
    assert all(name in told for name in load_topics())
    code, told, _ = run("check", *here, "--replication-factor", "2", "--json")
    assert code == 1
    assert json.loads(told)[0] == {
        "topic": "llm.requests",
        "setting": "replication factor",
        "expected": "2",
        "actual": "1",
        "repairable": False,
    }


def test_apply_refuses_with_one_message_and_no_traceback(topics: str) -> None:
    code, told, error = run("apply", "--bootstrap", topics, "--replication-factor", "2")
    assert (code, told) == (1, "")
    assert error.startswith("TopicMismatch: llm.requests has replication factor = 1")
    assert "Traceback" not in error


def test_apply_without_change_is_quiet_and_well(topics: str) -> None:
    assert run("apply", "--bootstrap", topics) == (
        0,
        "All topics are as topics.toml says\n",
        "",
    )
    assert run("apply", "--bootstrap", topics, "--json")[1] == "[]\n"
