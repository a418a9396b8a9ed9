"""The catalogue from the command line: built, shown, checked, used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_scenario import simulate_tiny

from streams.scenarios.prompt_table import SIMULATION_KEY, SIMULATION_KEY_ID

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()"]


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment, "COLUMNS": "200"},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(name="key")
def _key(tmp_path: Path) -> str:
    path = tmp_path / "sketch.key"
    path.write_text(SIMULATION_KEY.hex() + "\n", "ascii")
    return f"{SIMULATION_KEY_ID}={path}"


def test_a_catalogue_is_built_checked_and_used(tmp_path: Path, key: str) -> None:
    simulate_tiny(tmp_path)
    events, out = str(tmp_path / "events.avro"), str(tmp_path / "ours.json")
    ours = tmp_path / "ours.txt"
    ours.write_text("Tell me what the weather in {{town}} is like today.", "utf-8")
    code, told, _ = run(
        *("catalogue", "build", str(ours), "--out", out, "--key-file", key),
        *("--without", "helpful-assistant"),
    )
    assert code == 0, told
    assert "38 templates" in told  # one more, and one fewer, than are shipped
    code, told, _ = run("catalogue", "show", out)
    assert code == 0
    assert "ours.txt" in told
    assert "helpful-assistant" not in told
    code, told, _ = run("catalogue", "check", out, "--key-file", key)
    assert (code, told.count("fingerprint")) == (0, 1)
    code, told, _ = run("catalogue", "check", out, "--events", events)
    assert code == 0, told
    code, told, _ = run(
        *("replay", events, "--out", str(tmp_path)), DISTILLWATCH_CATALOGUE=out
    )
    assert code == 0
    assert f"events used templates of {out}" in told


def test_a_wrong_key_is_noticed(tmp_path: Path, key: str) -> None:
    other = tmp_path / "other.key"
    other.write_text("ab" * 32, "ascii")
    simulate_tiny(tmp_path)
    out, events = str(tmp_path / "c.json"), str(tmp_path / "events.avro")
    run("catalogue", "build", "--out", out, "--key-file", f"2026-03={other}")
    code, told, _ = run("catalogue", "check", out, "--key-file", key)
    assert (code, "not built with this key" in told) == (1, True)
    code, told, _ = run("catalogue", "check", out, "--events", events)
    assert (code, "no key of the catalogue" in told) == (1, True)
    assert "nothing is covered" in told
    code, told, _ = run(
        *("replay", events, "--out", str(tmp_path)), DISTILLWATCH_CATALOGUE=out
    )
    assert (code, "a key that it was not built with" in told) == (0, True)


def test_shipped_templates_are_shown() -> None:
    code, told, _ = run("catalogue", "show")
    assert code == 0
    assert "gsm8k-8-shot-cot" in told
    code, told, _ = run("catalogue", "show", "--text", "mt-bench-pair")
    assert code == 0
    assert told.startswith("system: Please act as an impartial judge")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--out", "{}/c.json", "--key-file", "x"), "KEY_ID=FILE"),
        (("build", "--out", "{}/c.json", "--key-file", "a={}/no"), "openssl rand"),
        (("build", "--out", "{}/c.json", "--key-file", "a={}/short"), "32 random"),
        (("build", "--out", "{}/no/c.json", "--key-file", "a={}/short"), "folder"),
        (("show", "--text", "nobody"), "no shipped template"),
        (("show", "{}/short"), "is not a catalogue"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "short").write_text("abcd", "ascii")
    filled = [each.replace("{}", str(tmp_path)) for each in arguments]
    code, _, error = run("catalogue", *filled)
    assert code == 1
    assert words in error
