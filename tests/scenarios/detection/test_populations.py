import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.scenarios.detection.hard_negatives import hard_negatives
from streams.scenarios.detection.populations import mixed
from streams.scenarios.detection.shapes import SHAPES, campaigns, shape_of


@settings(deadline=None)
@given(st.integers(1500, 300_000))
def test_a_population_has_about_the_accounts_asked_for(accounts: int) -> None:
    scenario = mixed(accounts, hours=48, seed=1)
    honest = sum(cohort.accounts for cohort in scenario.cohort)
    hostile = sum(campaign.accounts for campaign in scenario.campaign)
    assert honest + hostile == pytest.approx(accounts, rel=0.05)
    for cohort in scenario.cohort:
        assert cohort.accounts >= cohort.groups


def test_campaigns_are_of_every_reported_size() -> None:
    sizes = [campaign.accounts for campaign in campaigns(200_000, 24)]
    assert min(sizes) == 10
    assert sorted(sizes)[-2:] == [2000, 20_000]
    shares = [each.campaign.mix_share for each in SHAPES]
    assert min(shares) == 0.05
    assert max(shares) == 1.0
    per_day = [each.campaign.requests_per_day for each in SHAPES]
    assert min(low for low, _ in per_day) <= 26
    assert max(high for _, high in per_day) >= 700 / 3


def test_the_pivot_is_when_the_model_comes_out() -> None:
    scenario = mixed(3000, hours=40, seed=1)
    (pivot,) = (c.pivot for c in scenario.campaign if c.pivot)
    assert pivot.hour == scenario.release[0].hour == 20
    assert pivot.model == scenario.release[0].model


def test_an_ordinary_population_has_no_campaign() -> None:
    assert not mixed(3000, hours=40, seed=1, hostile=False).campaign


@given(st.floats(0.05, 3), st.integers(1, 30))
def test_copies_are_groups_of_one_size(scale: float, copies: int) -> None:
    for kind in hard_negatives(scale, copies):
        assert kind.groups == copies
        assert kind.accounts % copies == 0
        assert kind.accounts // copies >= 6


def test_a_campaign_without_a_shape_is_called_by_its_name() -> None:
    assert shape_of("attack") == "attack"
    assert {shape_of(each.campaign.name) for each in SHAPES} == {
        each.shape for each in SHAPES
    }
