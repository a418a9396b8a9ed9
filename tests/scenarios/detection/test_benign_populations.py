from hypothesis import given
from hypothesis import strategies as st

from streams.scenarios.detection.benign_populations import benign
from streams.scenarios.detection.hard_negatives import HARD_NEGATIVES
from streams.scenarios.detection.run import simulated
from streams.scenarios.detection.source import Source
from streams.scenarios.scenario import Scenario


def drawn(count: int) -> list[Scenario]:
    return [benign(seed, ordinary=100, hours=24) for seed in range(count)]


def test_they_differ_and_repeat() -> None:
    assert benign(3, ordinary=100, hours=24) == benign(3, ordinary=100, hours=24)
    kinds = [frozenset(cohort.name for cohort in each.cohort) for each in drawn(60)]
    assert len(set(kinds)) > 50
    assert frozenset().union(*kinds) >= set(HARD_NEGATIVES)


def test_a_third_of_them_shares_each_kind_of_event() -> None:
    populations = drawn(300)
    launch = sum(bool(each.release) for each in populations)
    guide = sum(bool(each.campaign) for each in populations)
    office = sum(any(c.network == "office" for c in p.cohort) for p in populations)
    for count in (launch, guide, office):
        assert 70 < count < 130
    outages = [
        {c.start_hour for c in p.cohort if c.duration_hours and c.start_hour != 9.0}
        for p in populations
    ]
    assert max(map(len, outages)) == 1
    assert sum(map(bool, outages)) > 50


@given(st.integers(0, 100_000), st.floats(2, 72))
def test_every_one_can_be_simulated(seed: int, hours: float) -> None:
    scenario = benign(seed, ordinary=50, hours=hours)
    pools = {pool.name for pool in scenario.pool} | {"own", "one"}
    for cohort in scenario.cohort:
        assert cohort.accounts % cohort.groups == 0
        assert cohort.start_hour < hours
        assert cohort.network in pools
        assert cohort.borrows in {"", *(each.name for each in scenario.campaign)}


def test_the_guide_is_read_and_nobody_runs_it(source: Source) -> None:
    read = next(each for each in drawn(50) if each.campaign)
    assert any(cohort.borrows for cohort in read.cohort)
    made = simulated(read, source)
    assert len(made.events) > 0
    assert {account.campaign for account in made.world.traffic.accounts} == {""}
