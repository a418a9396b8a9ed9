"""The ledger as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from control_bench import publish

from streams.contracts import Decision, to_dict
from streams.policy.budget import DAILY_BUDGET, Budget

if TYPE_CHECKING:
    from conftest import Invoke

DAY = 1440


def _tests() -> list[Decision]:
    """Three tests on one day, the second of which finds a campaign; one on the next."""
    budget, decisions = Budget(), []
    for number, minute in enumerate((10, 20, 30, DAY + 10)):
        found = number == 1
        level = budget.next_level(minute)
        decisions.append(
            Decision(
                decision_id=f"d{number}",
                subject="campaign:dc-1" if found else f"group:{number}",
                kind="tested",
                occurred_at=minute * 60_000,
                e_value=(3 if found else 0.1) / level,
                level=level,
                budget_left=budget.left(minute),
                daily_budget=DAILY_BUDGET,
            )
        )
        if found:
            budget.note_find()
    return decisions


def test_a_folder_gives_a_table_and_json(tmp_path: Path, invoke: Invoke) -> None:
    lines = (json.dumps(to_dict(each)) for each in _tests())
    (tmp_path / "decisions.jsonl").write_text("\n".join(lines), "utf-8")
    code, out, err = invoke("budget", "--folder", str(tmp_path))
    assert (code, err) == (0, "")
    assert "1970-01-01" in out
    assert "dc-1" in out
    code, out, _ = invoke("budget", "--folder", str(tmp_path), "--json")
    first, second = json.loads(out)
    assert (first["tests"], first["rejected"], first["found"]) == (3, 1, ["dc-1"])
    assert first["earned"] == pytest.approx(0.05)
    assert first["spent"] + first["left"] == pytest.approx(0.25)
    assert (second["day"], second["tests"]) == ("1970-01-02", 1)


def test_nothing_tested_is_said(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "decisions.jsonl").write_text("", "utf-8")
    assert (
        invoke("budget", "--folder", str(tmp_path))[1] == "No group has been tested\n"
    )


def test_a_folder_without_a_replay_is_an_error(tmp_path: Path, invoke: Invoke) -> None:
    code, _, err = invoke("budget", "--folder", str(tmp_path))
    assert code == 1
    assert "decisions.jsonl" in err
    (tmp_path / "decisions.jsonl").write_text("{}\nno json\n", "utf-8")
    code, _, err = invoke("budget", "--folder", str(tmp_path))
    assert code == 1
    assert "decisions.jsonl:1" in err


@pytest.mark.broker
def test_the_ledger_comes_from_the_broker(topics: str, invoke: Invoke) -> None:
    publish(topics, "llm.decisions", _tests())
    code, out, _ = invoke("budget", "--bootstrap", topics, "--json")
    assert code == 0
    assert [day["tests"] for day in json.loads(out)] == [3, 1]
