"""Every shipped scenario against its expected outcome in outcomes/NAME.toml: no code.

The bounds are what the product promises, with room; they are not its best figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from streams.contracts import Action, Alert, decode_record, iter_datums, to_dict
from streams.contracts.records import Rung
from streams.engine.replay import Pipeline, replay
from streams.scenarios.outcomes import Outcome
from streams.scenarios.scenario import load, shipped
from streams.scenarios.score import score
from streams.scenarios.simulate import EVENTS, simulate

OUTCOMES = Path(__file__).parent / "outcomes"
RUNGS = ("none", *get_args(Rung))


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    campaigns: list[str]
    highest_ordinary_rung: str
    most_leaked_before_alert: float = 1.0
    least_accounts_effective: float = 0.0
    pivot_model: str = ""


def test_every_shipped_scenario_has_an_expected_outcome() -> None:
    assert sorted(path.stem for path in OUTCOMES.glob("*.toml")) == list(shipped())


@pytest.mark.parametrize("name", shipped())
def test_the_outcome_is_as_expected(name: str, tmp_path: Path) -> None:
    text = (OUTCOMES / f"{name}.toml").read_bytes()
    expected = msgspec.toml.decode(text, type=Expected)
    simulate(load(name), tmp_path)
    alerts = _run(tmp_path)
    result = score(Outcome.read(tmp_path))

    assert result.events >= 100_000
    assert [c.name for c in result.campaigns if c.found_as] == expected.campaigns
    assert len(result.campaigns) == len(expected.campaigns)
    assert result.false_campaigns == ()
    for campaign in result.campaigns:
        assert campaign.share_before_alert <= expected.most_leaked_before_alert
        effective = campaign.accounts_effective / campaign.accounts
        assert effective >= expected.least_accounts_effective
    limit = RUNGS.index(expected.highest_ordinary_rung)
    for cohort in result.cohorts:
        if cohort.cohort != "campaign":
            assert max(map(RUNGS.index, cohort.rungs)) <= limit, cohort
    pivots = [alert for alert in alerts if alert.kind == "campaign_pivoted"]
    if expected.pivot_model:
        assert pivots
        assert all(expected.pivot_model in alert.summary for alert in pivots)
    # Its customers try what comes out: that it begins to use it is true, and no move.
    assert expected.pivot_model or all(a.severity == "info" for a in pivots)


def _run(folder: Path) -> list[Alert]:
    alerts: list[Alert] = []
    with (
        (folder / "actions.jsonl").open("wb") as actions_file,
        (folder / "alerts.jsonl").open("wb") as alerts_file,
    ):
        for output in replay(iter_datums(folder / EVENTS), Pipeline()):
            if output.value is None:
                continue
            if output.topic == "llm.alerts":
                alert = decode_record(Alert, output.value)
                alerts.append(alert)
                alerts_file.write(msgspec.json.encode(to_dict(alert)) + b"\n")
            elif output.topic == "llm.actions":
                action = decode_record(Action, output.value)
                actions_file.write(msgspec.json.encode(to_dict(action)) + b"\n")
    return alerts
