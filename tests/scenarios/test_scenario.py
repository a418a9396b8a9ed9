from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ScenarioError, ScenarioNotFound
from streams.scenarios.scenario import Scenario, load, shipped

HEAD = """
name = "x"
description = "x"
start = 2026-03-02T00:00:00Z
duration_hours = 10
[models]
m = 1
"""
COHORT = """
[[cohort]]
name = "c"
accounts = 3
requests_per_day = 2
"""
CAMPAIGN = """
[[campaign]]
name = "k"
accounts = 3
requests_per_day = [2, 4]
shape = "rubric"
roles = ["campaign-rubric"]
"""


def read(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return load(str(path))


def test_the_shipped_ones_are_those_the_documentation_names() -> None:
    assert set(shipped()) >= {"calm", "rubric", "tooluse", "pivot", "hydra"}


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_scenario_has_some_hundred_thousand_events(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    days = scenario.duration_hours / 24
    expected = sum(c.accounts * c.requests_per_day for c in scenario.cohort) * days
    expected += sum(c.accounts * sum(c.requests_per_day) / 2 for c in scenario.campaign)
    assert 100_000 <= expected <= 400_000
    assert {c.behaviour for c in scenario.cohort} >= {
        "interactive", "bulk", "agentic", "harness", "classroom", "app",
    }  # fmt: skip
    assert bool(scenario.campaign) == (name != "calm")


def test_a_base_gives_its_cohorts_and_an_own_table_replaces_one(tmp_path: Path) -> None:
    head = HEAD.partition("[models]")[0] + 'base = "calm"\nbase_scale = 0.1\n'
    merged = read(tmp_path, head + COHORT.replace('"c"', '"people"'))
    calm = {c.name: c for c in load("calm").cohort}
    own = {c.name: c for c in merged.cohort}
    assert set(own) == set(calm)
    assert own["people"].accounts == 3
    assert own["company"].accounts == calm["company"].accounts // 10
    assert merged.models == load("calm").models
    assert merged.release == load("calm").release


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + COHORT + "colour = 1\n", "unknown field `colour` - at `$.cohort[0]`"),
        (HEAD + COHORT.replace("= 3", "= 0"), "`$.cohort[0].accounts`"),
        (HEAD + COHORT + 'behaviour = "odd"\n', "`$.cohort[0].behaviour`"),
        (HEAD + COHORT + COHORT, "two [[cohort]] are called 'c'"),
        (HEAD + COHORT + 'network = "vpn"\n', "not own, one or a [[pool]]"),
        (HEAD + COHORT + "groups = 4\n", "more groups than accounts"),
        (HEAD + COHORT + 'borrows = "b"\n', "no [[campaign]] is called 'b'"),
        (HEAD + COHORT + "start_hour = 10\n", "not before the end"),
        (HEAD + COHORT + "age_days = [3, 1]\n", "age_days = [3, 1] falls"),
        (HEAD + CAMPAIGN.replace("[2, 4]", "[4, 2]"), "[4, 2] falls"),
        (HEAD + CAMPAIGN + 'facets = { pool = "p" }\n', "no [[pool]] is called 'p'"),
        (HEAD + CAMPAIGN + "mix_share = 1.5\n", "`$.campaign[0].mix_share`"),
        (HEAD, "no [[cohort]] and no [[campaign]]"),
        (HEAD.replace("m = 1", "") + COHORT, "[models] is empty"),
        (HEAD.replace("00Z", "00") + COHORT, "start has no time zone"),
        ('base = "calmer"\n' + HEAD + COHORT, "base = 'calmer' is not shipped"),
        ("name = ", "own.toml: "),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, text)
    assert "own.toml: " in str(caught.value)
    assert said in str(caught.value)


def test_what_is_neither_shipped_nor_a_file_is_told_with_the_names() -> None:
    with pytest.raises(ScenarioNotFound, match="calm, hydra"):
        load("stormy")


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "\xe9"')
    with pytest.raises(ScenarioError, match=r"latin\.toml"):
        load(str(path))
