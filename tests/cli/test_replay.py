from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_scenario import simulate_tiny

from streams.config import Config
from streams.contracts import decode, iter_datums, write_container
from streams.engine.replay import Pipeline
from streams.engine.replay import replay as run_pipeline

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "replay"]


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def lines(path: Path) -> list[dict[str, object]]:
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenario")
    simulate_tiny(folder)
    return folder / "events.avro"


def test_it_writes_what_the_engine_publishes(events: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "here"
    code, told, error = run(events, "--out", out, "--mode", "enforce")
    assert (code, error) == (0, "")
    actions, alerts = lines(out / "actions.jsonl"), lines(out / "alerts.jsonl")
    decisions = lines(out / "decisions.jsonl")
    summary = f"{len(alerts)} alerts and {len(actions)} actions in {out}; 0 events"
    assert told == f"{summary} refused\n"
    published: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("Action", "Alert", "Decision")
    }
    pipeline = Pipeline(Config(mode="enforce"))
    for output in run_pipeline(iter_datums(events), pipeline):
        name = output.type.rpartition(".")[2]
        if output.value is not None:
            published[name].append(decode(name, output.value))
    told_of = {"Action": actions, "Alert": alerts, "Decision": decisions}
    assert published == told_of
    assert alerts[0]["kind"] == "campaign_found"
    assert actions[0]["mode"] == "enforce"
    # Most of this traffic is the campaign's, more than may be refused unseen.
    modes = {str(one["reason"])[:13]: one["mode"] for one in decisions if one["mode"]}
    assert (modes[""], modes["above the cap"]) == ("enforce", "shadow")
    assert "breaker_tripped" in {alert["kind"] for alert in alerts}


def test_refused_events_are_counted_and_the_first_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    event = {"event_id": "", "occurred_at": 0, "account_id": "a", "request_model": "m"}
    write_container(path, "RequestEvent", [event, event | {"event_id": "e"}])
    code, told, _ = run(path, "--out", tmp_path)
    assert code == 0
    assert told.splitlines() == [
        f"0 alerts and 0 actions in {tmp_path}; 1 events refused",
        "first refusal: InvalidRecord: RequestEvent.event_id is empty",
    ]


def test_what_is_no_container_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    path.write_bytes(b"no container")
    for given in (path, tmp_path / "none.avro"):
        code, told, error = run(given, "--out", tmp_path / "out")
        assert (code, told) == (1, "")
        assert str(given) in error
        assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
