from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from streams.scenarios.detection.intervals import Rate, per_unit


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
