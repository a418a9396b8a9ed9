"""Populations of the reference: benign ones are benign, and bystanders are planted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

from streams.contracts import decode, iter_datums
from streams.scenarios.honest_groups import KINDS, SHARING_KINDS, SITES_KINDS
from streams.scenarios.reference_populations import (
    benign_population,
    campaign_population,
)
from streams.scenarios.scenario import Cohort, Scenario
from streams.scenarios.simulate import EVENTS, EXCHANGES, TRUTH, simulate
from streams.sketch import Sketch

_MINUTE = 60_000


@pytest.mark.parametrize("kinds", [KINDS, SHARING_KINDS, SITES_KINDS])
def test_every_kind_is_drawn_and_none_is_a_campaign(kinds: tuple[str, ...]) -> None:
    drawn = [benign_population(seed, kinds) for seed in range(24)]
    assert not any(one.accounts for scenario in drawn for one in scenario.campaign)
    assert drawn[3] == benign_population(3, kinds) != benign_population(4, kinds)
    names = {
        cohort.name.rpartition("-")[0]
        for scenario in drawn
        for cohort in scenario.cohort
        if cohort.name[-1].isdigit()
    }
    assert names == set(kinds)


def test_every_guide_has_readers_of_several_kinds() -> None:
    drawn = [benign_population(seed) for seed in range(24)]
    guided = [scenario for scenario in drawn if scenario.campaign]
    assert 3 <= len(guided) <= 15
    for scenario in guided:
        for guide in scenario.campaign:
            readers = [one for one in scenario.cohort if one.borrows == guide.name]
            assert 2 <= len(readers) <= 3
            assert all(0 < one.borrowed < 0.5 for one in readers)
            assert all(one.accounts % one.groups == 0 for one in readers)
    assert all(one.borrows == "" for each in drawn if not each.campaign
               for one in each.cohort)  # fmt: skip


def test_each_campaign_has_bystanders() -> None:
    scenario = campaign_population(5)
    lenders = [cohort.borrows for cohort in scenario.cohort if cohort.borrows]
    assert lenders == [campaign.name for campaign in scenario.campaign]
    assert all(one.templates.count for one in scenario.campaign)
    for one in campaign_population(5, "untemplated").campaign:
        assert one.facets.networks > 1
        assert one.templates.count == 0
    for one in campaign_population(5, "one_site").campaign:
        assert one.facets.payments == 1 or one.facets.networks == 1


def _small(scenario: Scenario, *cohorts: Cohort) -> Scenario:
    campaign = replace(
        scenario.campaign[0], accounts=12, requests_per_day=(60, 60), start_hour=0
    )
    templates = replace(campaign.templates, word_drop=0.0, random_prefix=0.0)
    return replace(
        scenario,
        duration_hours=20,
        cohort=cohorts,
        campaign=(replace(campaign, templates=templates, mix_share=1.0),),
    )


def test_cohorts_borrow_pay_and_open_accounts_as_they_say(tmp_path: Path) -> None:
    base = campaign_population(1)
    borrowers = Cohort(
        name="borrowers",
        accounts=10,
        requests_per_day=40,
        borrows=base.campaign[0].name,
        borrows_all=True,
        borrowed=0.5,
    )
    team = Cohort(
        name="team",
        behaviour="app",
        accounts=24,
        groups=2,
        requests_per_day=20,
        network="one",
        payment="one",
        payments=3,
        template="group",
        templates=4,
        created_together=6,
    )
    simulate(_small(base, borrowers, team), tmp_path)
    truth = pl.read_csv(tmp_path / TRUTH)
    cohort = dict(truth.select("account_id", "cohort").iter_rows())
    guilty = set(pl.read_csv(tmp_path / EXCHANGES)["event_id"])
    events = [decode("RequestEvent", each) for each in iter_datums(tmp_path / EVENTS)]

    def keys(chosen: list[dict[str, object]]) -> list[tuple[int, ...]]:
        read = [Sketch.from_bytes(each["sketch"]) for each in chosen]  # type: ignore[arg-type] # bytes
        return [(one.head, one.tail, one.system) for one in read]

    harvested = keys([each for each in events if each["event_id"] in guilty])
    known = {key for three in harvested for key in three if key}
    own = [e for e in events if cohort[e["account_id"]] == "borrowers"]
    borrowed = [three for three in keys(own) if known & set(three)]
    assert 0.3 < len(borrowed) / len(own) < 0.7
    of_team = [e for e in events if cohort[e["account_id"]] == "team"]
    assert len({each["payment"] for each in of_team}) == 6
    assert len({system for _, _, system in keys(of_team)}) == 8
    opened = sorted({each["account_created_at"] // _MINUTE for each in of_team})
    gaps = [b - a for a, b in pairwise(opened)]
    assert sum(gap > 60 for gap in gaps) <= 3
