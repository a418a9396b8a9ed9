from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streams.scenarios.scenario import load
from streams.scenarios.simulate import simulate

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "score"]
SMALL = """
name = "tiny"
description = "A few people and a campaign."
start = 2026-03-02T00:00:00Z
duration_hours = 6
[models]
m = 1
[[cohort]]
name = "people"
accounts = 20
requests_per_day = 20
[[campaign]]
name = "graders"
shape = "rubric"
accounts = 5
requests_per_day = [40, 50]
roles = ["campaign-rubric"]
"""


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603 our own command line
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a run that throttled all accounts of the campaign after an hour."""
    path = tmp_path / "tiny.toml"
    path.write_text(SMALL, encoding="utf-8")
    scenario = load(str(path))
    simulate(scenario, tmp_path)
    hour = round(scenario.start.timestamp() * 1000) + 3_600_000
    rows = (tmp_path / "truth.csv").read_text(encoding="utf-8").splitlines()
    guilty = [row.split(",")[0] for row in rows if row.endswith("graders")]
    lines = [
        {"subject": f"account:{account}", "rung": "throttle", "issued_at": hour,
         "expires_at": hour * 2, "campaign_id": "c1"}
        for account in guilty
    ]  # fmt: skip
    found = {"campaign_id": "c1", "kind": "campaign_found", "occurred_at": hour,
             "accounts": guilty}  # fmt: skip
    for name, objects in (("actions.jsonl", lines), ("alerts.jsonl", [found])):
        text = "".join(json.dumps(item) + "\n" for item in objects)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_tables_tell_campaigns_cohorts_and_the_summary(folder: Path) -> None:
    code, told, error = run(folder)
    assert (code, error) == (0, "")
    assert "graders" in told
    assert "throttle" in told
    assert "campaigns found: 1 of 1; false campaigns: 0" in told
    assert "5 right, 0 wrong" in told


def test_json_has_the_same_figures(folder: Path) -> None:
    code, told, _ = run(folder, "--json")
    assert code == 0
    result = json.loads(told)
    (campaign,) = result["campaigns"]
    assert campaign["found_as"] == ["c1"]
    assert 0 < campaign["share_before_own_action"] < 0.4
    assert result["precision"] == result["recall"] == 1.0


def test_a_missing_file_is_one_line_and_exit_code_1(folder: Path) -> None:
    (folder / "actions.jsonl").unlink()
    code, told, error = run(folder)
    assert (code, told) == (1, "")
    assert error.startswith("ScenarioError: ")
    assert "actions.jsonl is not there" in error.replace("\n", "")
