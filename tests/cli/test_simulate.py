from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "simulate"]
SMALL = """
name = "tiny"
description = "A few people."
start = 2026-03-02T00:00:00Z
duration_hours = 5
[models]
m = 1
[[cohort]]
name = "people"
accounts = 20
requests_per_day = 20
"""


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603 our own command line
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_scenario_of_ones_own_is_simulated_and_told(tmp_path: Path) -> None:
    scenario = tmp_path / "tiny.toml"
    scenario.write_text(SMALL, encoding="utf-8")
    code, told, _ = run(scenario, "--out", tmp_path / "out", "--seed", "3")
    truth = pl.read_csv(tmp_path / "out" / "truth.csv")
    assert code == 0
    assert told.startswith("tiny: ")
    assert f"of {len(truth)} accounts" in told
    assert (tmp_path / "out" / "events.avro").stat().st_size > 0


def test_list_and_show_tell_what_is_shipped() -> None:
    code, told, _ = run("--list")
    assert code == 0
    assert [line.split()[0] for line in told.splitlines()] == [
        "calm", "hydra", "pivot", "rubric", "tooluse",
    ]  # fmt: skip
    code, told, _ = run("--show", "hydra")
    assert code == 0
    assert 'name = "hydra"' in told


def test_errors_are_one_line_that_names_the_place(tmp_path: Path) -> None:
    for arguments, said in (
        (("stormy", "--out", tmp_path), "ScenarioNotFound: 'stormy' is neither"),
        (("calm",), "ScenarioError: say which scenario and where to"),
        (
            ("calm", "--out", tmp_path, "--corpus", tmp_path),
            "CorpusNotFound: no *.jsonl.gz or *.jsonl in",
        ),
    ):
        code, told, error = run(*arguments)
        assert (code, told) == (1, "")
        assert error.startswith(said)
        assert "Traceback" not in error
    assert not list(tmp_path.iterdir())
