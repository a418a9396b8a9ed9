from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.sdk.token_bucket import TokenBuckets

STEPS = st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=60)


@given(STEPS, st.floats(0.2, 30))
def test_no_window_of_time_sees_more_than_its_rate_and_one_bucket(
    steps: list[float], per_minute: float
) -> None:
    now, times = 0.0, []
    buckets = TokenBuckets(clock=lambda: now)
    for step in steps:
        now += step
        if not buckets.take("a", per_minute):
            times.append(now)
    for first, began in enumerate(times):
        for last, ended in enumerate(times[first:], first):
            allowed = max(per_minute, 1) + (ended - began) * per_minute / 60
            assert last - first + 1 <= allowed + 1e-6


@given(STEPS, st.floats(0.2, 30))
def test_who_waits_as_told_is_served(steps: list[float], per_minute: float) -> None:
    now = 0.0
    buckets = TokenBuckets(clock=lambda: now)
    for step in steps:
        now += step
        if wait := buckets.take("a", per_minute):
            now += wait
            assert buckets.take("a", per_minute) == 0


def test_keys_do_not_share_and_their_number_is_bounded() -> None:
    buckets = TokenBuckets(max_buckets=2, clock=lambda: 0.0)
    assert [buckets.take(key, 1) for key in "aab"] == [0.0, 60.0, 0.0]
    buckets.take("c", 1)
    assert len(buckets) == 2
    assert buckets.take("a", 1) == 0.0  # forgotten, the longest idle one
