"""The parts that run the engine many times, at their smallest."""

import msgspec
import pytest

from streams.models.reference import load_reference
from streams.policy.budget import DAILY_BUDGET
from streams.scenarios.detection.account_peers import PeerFigures, account_peers
from streams.scenarios.detection.adaptive import ATTACKERS, PLAIN, adaptive
from streams.scenarios.detection.budget_trial import BudgetPlan, budget_trial
from streams.scenarios.detection.campaign_figures import figures
from streams.scenarios.detection.hard_negatives import OWN_MODEL
from streams.scenarios.detection.hard_negatives_alone import (
    hard_negative_names,
    hard_negatives_alone,
)
from streams.scenarios.detection.populations import small
from streams.scenarios.detection.report import QUICK, Report
from streams.scenarios.detection.run import Run, Simulated, simulated
from streams.scenarios.detection.source import Source


def test_every_hard_negative_is_counted_by_itself(source: Source) -> None:
    told: list[int] = []
    results = hard_negatives_alone(
        source,
        scale=0.12,
        ordinary=15,
        hours=12,
        seed=1,
        progress=lambda _step, done, _total: told.append(done),
    )
    assert tuple(each.name for each in results) == hard_negative_names()
    assert told == list(range(1, len(results) + 1))
    for each in results:
        assert each.accounts > 0
        assert each.rate.hits == each.actions_above_label <= each.accounts
    (own,) = (each for each in results if each.name == OWN_MODEL.name)
    assert own.actions_above_label == 0


def test_attackers_are_compared_with_the_plain_one(source: Source) -> None:
    names = {"plain", "TLS rotated", "imitates a public harness"}
    chosen = tuple(each for each in ATTACKERS if each.name in names)
    results = adaptive(source, ordinary=20, hours=3, seed=1, attackers=chosen)
    assert [each.name for each in results] == [each.name for each in chosen]
    plain, tls, harness = results
    for each in results:
        assert 50 < each.accounts <= PLAIN.accounts
        assert each.exchanges > 0
        assert each.found or each.wins
    assert plain.cost_accounts is not None
    assert plain.cost_accounts >= 1
    assert tls.infrastructure == plain.infrastructure
    assert harness.infrastructure > plain.infrastructure
    assert harness.leak_not_covered.trials == harness.exchanges


def test_who_hides_behind_a_public_template_is_run_with_the_catalogue(
    source: Source,
) -> None:
    chosen = tuple(each for each in ATTACKERS if each.name.startswith("behind"))
    assert [each.catalogued for each in chosen] == [False, True]
    without, hidden = adaptive(source, ordinary=20, hours=3, seed=1, attackers=chosen)
    assert without.exchanges > 0
    assert hidden.exchanges > 0
    assert hidden.wins


def test_the_parts_of_a_split_campaign_add_up_to_it() -> None:
    (split,) = (each for each in ATTACKERS if each.name.startswith("split"))
    assert sum(part.accounts for part in split.campaigns) == PLAIN.accounts
    assert set(split.renamed) == {part.name for part in split.campaigns}
    assert set(split.renamed.values()) == {PLAIN.name}


def test_the_names_of_attackers_are_distinct() -> None:
    assert len({each.name for each in ATTACKERS}) == len(ATTACKERS)


def test_wrong_campaigns_are_counted_by_day(source: Source) -> None:
    plan = BudgetPlan(populations=3, ordinary=20, hours=12, seed=5)
    result = budget_trial(source, plan)
    assert result.stated == DAILY_BUDGET
    assert result.populations == result.hit.trials == 3
    assert result.days == 1.5
    assert result.observed == result.wrong_campaigns / 1.5
    assert result.low <= result.observed <= result.high
    assert result.account_days == result.wrong_enforcement.trials > 0


def test_processes_do_not_change_the_budget_figures() -> None:
    plan = BudgetPlan(populations=2, ordinary=10, hours=6, seed=11)
    alone = budget_trial(Source.generated(11), plan)
    assert budget_trial(Source.generated(11), plan, jobs=2) == alone


def test_tests_are_told_with_their_levels(done: Run) -> None:
    assert done.tests
    for test in done.tests:
        assert 0 < test.level < DAILY_BUDGET
    assert any(test.level * test.e_value >= 1 for test in done.tests)


@pytest.fixture(scope="module")
def peers(made: Simulated, source: Source) -> tuple[PeerFigures, ...]:
    scenario = small("calibrating", hours=10, ordinary=80, seed=9)
    return account_peers(made, simulated(scenario, source), seed=1)


def test_peers_judge_each_account(
    peers: tuple[PeerFigures, ...], done: Run, made: Simulated
) -> None:
    assert len({peer.name for peer in peers}) == len(peers) == 7
    active = {made.world.traffic.accounts[row].campaign for row in made.events.active()}
    for peer in peers:
        assert set(peer.campaigns) == active - {""}
        assert peer.campaigns["loud"].trials == done.planned["loud"]


def test_the_report_has_the_keys_that_others_read(
    done: Run, peers: tuple[PeerFigures, ...]
) -> None:
    report = Report(seed=1, plan=QUICK, population=figures(done), peers=peers)
    found = msgspec.json.decode(msgspec.json.encode(report.as_json()))
    keys = "name shape share found leak_first_alert leak_effective hours_first_alert"
    for campaign in found["campaigns"]:
        assert set(f"{keys} precision recall".split()) <= set(campaign)
        low, high = campaign["leak_first_alert_interval"]
        assert low <= campaign["leak_first_alert"] <= high
    rates = found["wrong_actions_per_million_account_days"]
    assert all(isinstance(rate, float | int) for rate in rates.values())
    assert found["reference"]["digest"] == load_reference().digest
    assert found["hard_negatives"] == found["window"] == []
