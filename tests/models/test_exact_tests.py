from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from streams.models.exact_tests import (
    binomial_tail,
    clopper_pearson,
    poisson_tail,
    rate_interval,
)


@given(st.integers(1, 40), st.floats(0.01, 0.99))
def test_binomial_tails_add_up(trials: int, rate: float) -> None:
    tails = [binomial_tail(k, trials, rate) for k in range(trials + 2)]
    assert tails == sorted(tails, reverse=True)
    assert (tails[0], tails[-1]) == (1.0, 0.0)
    mean = math.fsum(tails[1:])
    assert math.isclose(mean, trials * rate, abs_tol=1e-6)


def test_known_values() -> None:
    # Pearson and Hartley's tables, and the rule of three.
    assert binomial_tail(8, 10, 0.5) == round(56 / 1024, 9)
    assert poisson_tail(4, 1.0) == 0.018988157
    assert rate_interval(0, 100)[1] == 0.036217
    assert rate_interval(0, 0) == (0.0, 1.0)


@given(st.integers(0, 60), st.integers(0, 60))
def test_an_interval_holds_the_rate_and_leaves_its_tails_outside(
    hits: int, misses: int
) -> None:
    trials = hits + misses
    low, high = rate_interval(hits, trials)
    assert 0 <= low <= (hits / trials if trials else 0.5) <= high <= 1
    if hits:
        assert math.isclose(binomial_tail(hits, trials, low), 0.025, abs_tol=1e-3)
    if misses:
        below = binomial_tail(misses, trials, 1 - high)
        assert math.isclose(below, 0.025, abs_tol=1e-3)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(st.integers(1, 3000))
    return draw(st.integers(0, trials)), trials


@given(counts())
def test_the_interval_is_that_of_scipy(case: tuple[int, int]) -> None:
    hits, trials = case
    expected = binomtest(hits, trials).proportion_ci(0.95, method="exact")
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
