from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, poisson

from streams.scenarios.detection.intervals import (
    CONFIDENCE,
    Rate,
    clopper_pearson,
    per_unit,
)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(st.integers(1, 3000))
    return draw(st.integers(0, trials)), trials


@given(counts())
def test_the_interval_is_that_of_scipy(case: tuple[int, int]) -> None:
    hits, trials = case
    expected = binomtest(hits, trials).proportion_ci(CONFIDENCE, method="exact")
    low, high = clopper_pearson(hits, trials)
    assert abs(low - expected.low) < 1e-9
    assert abs(high - expected.high) < 1e-9


@given(counts())
def test_the_bounds_leave_a_fortieth_in_each_tail(case: tuple[int, int]) -> None:
    hits, trials = case
    low, high = clopper_pearson(hits, trials)
    assert low <= hits / trials <= high
    if hits:
        assert abs(binom.sf(hits - 1, trials, low) - 0.025) < 1e-6
    if hits < trials:
        assert abs(binom.cdf(hits, trials, high) - 0.025) < 1e-6


def test_the_rule_of_three() -> None:
    """No hit in n trials leaves about 3.7/n, two-sided."""
    assert 3.6e-6 < clopper_pearson(0, 1_000_000)[1] < 3.7e-6


def test_without_trials_nothing_is_known() -> None:
    assert Rate.of(0, 0) == Rate(0, 0, None, 0.0, 1.0)


@given(st.integers(0, 500), st.floats(0.1, 1000))
def test_poisson_bounds_leave_a_fortieth_in_each_tail(
    events: int, exposure: float
) -> None:
    low, high = per_unit(events, exposure)
    assert low <= events / exposure <= high
    assert abs(poisson.cdf(events, high * exposure) - 0.025) < 1e-6
    if events:
        assert abs(poisson.sf(events - 1, low * exposure) - 0.025) < 1e-6
