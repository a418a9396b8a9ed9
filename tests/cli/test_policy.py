"""Policies by the command line, on a real broker."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.bus.control_log import append_entries, read_entries
from streams.policy.control_entries import policy_entry
from streams.policy.policy_file import default_text, parse_policy

if TYPE_CHECKING:
    from conftest import Invoke

TRIAL = """\
version = "trial-1"  # a tenth first

[[scenario]]
name = "default"
percentage = 10
"""


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    path = tmp_path / "trial.toml"
    path.write_text(TRIAL, encoding="utf-8")
    return path


@pytest.mark.broker
def test_a_policy_is_applied_and_shown_and_withdrawn(
    topics: str, trial: Path, invoke: Invoke
) -> None:
    at = ("--bootstrap", topics)
    assert invoke("policy", "show", *at) == (
        0,
        f"# the shipped policy\n{default_text()}",
        "",
    )
    code, out, err = invoke("policy", "apply", str(trial), "--why", "a tenth", *at)
    assert (code, err) == (0, "")
    assert "scenario[default].percentage" in out
    assert "policy trial-1 is on llm.control" in out
    assert "distillwatch withdraw policy --why" in out

    (entry,) = read_entries(topics).values()
    assert (entry.entry_id, entry.kind, entry.subject) == ("policy", "policy", "*")
    assert (entry.author, entry.reason) == (getpass.getuser(), "a tenth")
    assert entry.value == TRIAL
    code, out, _ = invoke("policy", "show", *at)
    heading, _, text = out.partition("\n")
    assert heading.startswith("# applied 20")
    assert heading.endswith(f"by {getpass.getuser()}: a tenth")
    assert text == TRIAL
    code, out, _ = invoke("policy", "show", "--json", *at)
    assert json.loads(out)["scenario"][0]["percentage"] == 10

    again = invoke("policy", "apply", str(trial), "--why", "once more", *at)
    assert again[0] == 0
    assert "nothing was written" in again[1]
    assert read_entries(topics)["policy"] == entry

    assert invoke("withdraw", "policy", "--why", "enough", *at)[0] == 0
    assert invoke("policy", "show", *at)[1].startswith("# the shipped policy\n")


@pytest.mark.broker
def test_another_content_needs_another_version(
    topics: str, trial: Path, invoke: Invoke
) -> None:
    at = ("--bootstrap", topics)
    by = ("--author", "ana")
    assert invoke("policy", "apply", str(trial), "--why", "first", *by, *at)[0] == 0
    trial.write_text(TRIAL.replace("= 10", "= 20"), encoding="utf-8")
    code, _, err = invoke("policy", "apply", str(trial), "--why", "more", *at)
    assert code == 1
    assert "version 'trial-1' is in force with another content" in err
    assert read_entries(topics)["policy"].author == "ana"
    code, out, _ = invoke("policy", "diff", str(trial), *at)
    assert code == 1
    assert re.search(r"scenario\[default\]\.percentage +│ 10 +│ 20 +│", out)
    assert out.startswith(f"{trial} against applied 20")


@pytest.mark.broker
def test_a_policy_that_nobody_can_read_is_told_and_can_be_replaced(
    topics: str, trial: Path, invoke: Invoke
) -> None:
    entry = policy_entry("version = ", author="eve", reason="by hand", created_at=0)
    append_entries(topics, [entry])
    at = ("--bootstrap", topics)
    code, out, err = invoke("policy", "show", *at)
    assert code == 0
    assert out.startswith("# the shipped policy")
    assert err.startswith("left out: llm.control: it is no TOML")
    assert invoke("policy", "apply", str(trial), "--why", "repair", *at)[0] == 0
    assert read_entries(topics)["policy"].value == TRIAL


@pytest.mark.broker
def test_a_wrong_policy_is_not_written(
    topics: str, trial: Path, invoke: Invoke
) -> None:
    trial.write_text(TRIAL + "percentag = 1\n", encoding="utf-8")
    code, out, err = invoke(
        "policy", "apply", str(trial), "--why", "x", "--bootstrap", topics
    )
    assert (code, out) == (1, "")
    assert "no key scenario[0].percentag; did you mean percentage?" in err
    assert read_entries(topics) == {}


def test_check_says_what_is_right_and_what_is_not(trial: Path, invoke: Invoke) -> None:
    assert invoke("policy", "check", str(trial)) == (
        0,
        f"{trial} is a policy: version trial-1, scenarios default\n",
        "",
    )
    trial.write_text(TRIAL + "mode = 'of'\n", encoding="utf-8")
    code, out, err = invoke("policy", "check", str(trial))
    assert (code, out) == (1, "")
    assert err == (
        f"PolicyError: {trial}: scenario[0].mode = 'of': known: shadow, enforce, "
        "inherit\n"
    )


def test_check_notes_what_is_probably_not_meant(trial: Path, invoke: Invoke) -> None:
    trial.write_text(
        """
        version = "odd"
        caps.traffic_share = "none"
        [[scenario]]
        name = "nobody"
        subject_types = ["campaign"]
        [[scenario]]
        name = "few"
        when = "account.uses > 9"
        ladder = [{ rung = "observe", uses = 1, e_value = 1e9, confirmations = 1, \
duration = "1h" }]
        """,
        encoding="utf-8",
    )
    code, out, _ = invoke("policy", "check", str(trial))
    assert code == 0
    notes = [line for line in out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 4
    assert "scenario few: no account can reach observe, since e_value = 1e+09" in out
    assert "scenario nobody decides about nobody" in out
    assert "where no scenario holds, nothing is done" in out
    assert "no cap on the share of traffic" in out


@pytest.mark.parametrize("content", [None, b"version = '\xff'"])
def test_a_file_that_is_none_is_told(
    trial: Path, content: bytes | None, invoke: Invoke
) -> None:
    trial.unlink()
    if content is not None:
        trial.write_bytes(content)
    code, _, err = invoke("policy", "check", str(trial))
    assert code == 1
    expected = "is not a file; begin with" if content is None else "it is not UTF-8"
    assert f"PolicyError: {trial}" in err
    assert expected in err


def test_files_are_compared_without_a_broker(
    trial: Path, tmp_path: Path, invoke: Invoke
) -> None:
    shipped = tmp_path / "shipped.toml"
    code, out, _ = invoke("policy", "show", "--default")
    assert (code, out) == (0, default_text())
    shipped.write_text(out, encoding="utf-8")
    parse_policy(out, place="shown")
    code, out, _ = invoke(
        "policy", "diff", str(trial), "--against", str(shipped), "--json"
    )
    assert code == 1
    assert json.loads(out) == [
        {"path": "version", "old": "default-2", "new": "trial-1"},
        {"path": "scenario[default].percentage", "old": "100", "new": "10"},
    ]
    same = invoke("policy", "diff", str(shipped), "--against", str(shipped))
    assert same == (0, f"{shipped} says the same as {shipped}\n", "")
