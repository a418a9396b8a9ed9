"""Explanations for people, for pipes, for tickets and for customers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streams.scenarios.scenario import load
from streams.scenarios.simulate import simulate

if TYPE_CHECKING:
    from conftest import Invoke

SCENARIO = Path(__file__).parent.parent / "integration" / "pipeline.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with events.avro, and with what a replay of them writes."""
    folder = tmp_path_factory.mktemp("explained")
    simulate(load(str(SCENARIO)), folder)
    return folder


@pytest.fixture
def replayed(folder: Path, invoke: Invoke) -> Path:
    if not (folder / "decisions.jsonl").exists():
        events = str(folder / "events.avro")
        out = ("--out", str(folder), "--mode", "enforce")
        assert invoke("replay", events, *out)[0] == 0
    return folder


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _action(folder: Path, rung: str) -> dict[str, Any]:
    """Give an action of that rung that its subject still has at the end."""
    newest = {one["subject"]: one for one in _lines(folder / "actions.jsonl")}
    return next(one for one in newest.values() if one["rung"] == rung)


def test_a_page_tells_evidence_campaign_what_clears_timeline_and_budget(
    replayed: Path, invoke: Invoke
) -> None:
    action = _action(replayed, "suspend")
    code, out, err = invoke("explain", action["subject"], "--folder", str(replayed))
    assert (code, err) == (0, "")
    for title in (
        *("Own evidence", "Its group", "Campaign", "What would have cleared it"),
        *("Timeline", "Budget", "Decided by"),
    ):
        assert re.search(f"^{title}", out, re.MULTILINE), title
    assert f"{action['subject']} suspend (enforce)" in out
    assert action["campaign_id"] in out
    assert f"appeal token {action['appeal_token']}" in out
    assert "exchanges 20 → 19 or less" in out
    assert re.search("rungs [▁-█]+", out)
    assert "the rung needs 20" in out


def test_json_holds_the_same_with_every_number(replayed: Path, invoke: Invoke) -> None:
    action = _action(replayed, "suspend")
    at = ("--folder", str(replayed), "--json")
    code, out, _ = invoke("explain", action["subject"], *at)
    told = json.loads(out)
    assert code == 0
    assert told["standing"]["action_id"] == action["action_id"]
    assert told["own"]["e_value"] == action["evidence"]["e_value"]
    assert told["reason_codes"] == action["reason_codes"]
    assert told["versions"]["model"] == action["model_version"]
    account, group = told["counterfactuals"]
    assert (account["about"], group["about"]) == ("account", "campaign")
    # One explains by the action's id, its token, and the bare id of its account.
    bare = action["subject"].partition(":")[2]
    for name in (action["action_id"], action["appeal_token"], bare):
        assert json.loads(invoke("explain", name, *at)[1]) == told


def test_an_earlier_action_is_explained_by_its_own_numbers(
    replayed: Path, invoke: Invoke
) -> None:
    newest = _action(replayed, "suspend")
    first = next(
        one
        for one in _lines(replayed / "decisions.jsonl")
        if one["subject"] == newest["subject"] and one["kind"] == "issued"
    )
    at = ("--folder", str(replayed), "--json")
    told = json.loads(invoke("explain", first["action_id"], *at)[1])
    assert told["decision_id"] == first["decision_id"]
    assert told["own"]["exchanges"] == first["exchanges"]
    assert told["standing"]["action_id"] == newest["action_id"]


def test_a_campaign_is_explained(replayed: Path, invoke: Invoke) -> None:
    name = _action(replayed, "suspend")["campaign_id"]
    code, out, _ = invoke("explain", name, "--folder", str(replayed))
    assert code == 0
    assert out.startswith(f"campaign:{name} found")
    assert "the group: any one of" in out
    assert "enforce suspend" in out
    assert "Own evidence" not in out


def test_a_customer_reads_reasons_and_nothing_internal(
    replayed: Path, invoke: Invoke
) -> None:
    action = _action(replayed, "summarise_reasoning")
    at = ("--folder", str(replayed), "--customer")
    code, out, _ = invoke("explain", action["subject"], *at)
    assert code == 0
    assert "Reasoning is given to this account as a summary." in out
    assert f"Appeal token: {action['appeal_token']}" in out
    assert re.search(r"Until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", out)
    for hidden in (action["campaign_id"], action["subject"], action["model_version"]):
        assert hidden not in out
    told = json.loads(invoke("explain", action["subject"], *at, "--json")[1])
    assert list(told["reasons"]) == action["reason_codes"]
    assert told["until"] == action["expires_at"]


def test_a_picture_loads_nothing_from_anywhere(
    replayed: Path, invoke: Invoke, tmp_path: Path
) -> None:
    action, file = _action(replayed, "suspend"), tmp_path / "ticket.svg"
    at = ("--folder", str(replayed), "--picture", str(file))
    code, _, err = invoke("explain", action["subject"], *at)
    assert (code, err.strip()) == (0, f"picture: {file}")
    drawn = file.read_text("utf-8")
    assert drawn.lstrip().startswith("<svg")
    assert "escalated" in drawn
    assert not re.search(r"url\((?!#)|href=|src:|@import|<script", drawn)


@pytest.mark.parametrize("part", [0, 8, None], ids=["prefix", "typo", "nothing"])
def test_an_unknown_subject_ends_with_2_and_the_nearest_names(
    replayed: Path, invoke: Invoke, part: int | None
) -> None:
    name: str = _action(replayed, "suspend")["subject"]
    query = "zzz" if part is None else name[:20] if not part else f"{name[:-1]}-"
    code, out, err = invoke("explain", query, "--folder", str(replayed))
    assert (code, out) == (2, "")
    assert f"nothing is known about {query}" in err
    assert (name in err) == (part is not None)


def test_a_decision_is_computed_again_from_the_events(
    replayed: Path, invoke: Invoke
) -> None:
    action = _action(replayed, "suspend")
    events = ("--events", str(replayed / "events.avro"), "--verify")
    at = ("--folder", str(replayed), *events)
    code, out, err = invoke("explain", action["subject"], *at, "--mode", "enforce")
    assert (code, err) == (0, "")
    told = re.search(r"re-computed: identical, (\d+) decisions and the action", out)
    assert told
    assert int(told[1]) > 5
    code, out, err = invoke("explain", action["subject"], *at)
    assert code == 1
    assert "mode: the log has 'enforce', computed was 'shadow'" in err
    assert "is --mode what the workers were started with?" in err


def test_a_changed_number_is_found(
    replayed: Path, invoke: Invoke, tmp_path: Path
) -> None:
    action = _action(replayed, "suspend")
    for name in ("actions.jsonl", "alerts.jsonl", "decisions.jsonl"):
        (tmp_path / name).write_bytes((replayed / name).read_bytes())
    lines = _lines(replayed / "actions.jsonl")
    forged = next(one for one in lines if one["action_id"] == action["action_id"])
    forged["evidence"]["features"][0]["value"] += 1.0
    text = "".join(f"{json.dumps(one)}\n" for one in lines)
    (tmp_path / "actions.jsonl").write_text(text, "utf-8")
    code, _, err = invoke(
        *("explain", action["subject"], "--folder", str(tmp_path), "--verify"),
        *("--events", str(replayed / "events.avro"), "--mode", "enforce", "--json"),
    )
    assert code == 1
    assert f"NOT identical: Action {action['action_id']}, evidence" in err


def test_without_its_beginning_a_decision_cannot_be_computed_again(
    replayed: Path, invoke: Invoke
) -> None:
    subject = _action(replayed, "suspend")["subject"]
    code, _, err = invoke("explain", subject, "--folder", str(replayed), "--verify")
    assert code == 1
    assert "has no requests: give --events FILE as well" in err
    old = replayed / "old"
    old.mkdir(exist_ok=True)
    for name in ("actions.jsonl", "alerts.jsonl", "decisions.jsonl"):
        text = (replayed / name).read_text("utf-8")
        text = re.sub(r'"model_version": ?"[^"]*"', '"model_version":"2019"', text)
        (old / name).write_text(text, "utf-8")
    events = ("--events", str(replayed / "events.avro"))
    at = ("--folder", str(old), "--verify", *events)
    code, out, err = invoke("explain", subject, *at)
    assert code == 3
    assert "cannot be re-computed: reference 2019 decided" in err
    assert "note: reference 2019 decided" in out
