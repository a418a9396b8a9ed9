"""Traffic is forgotten by the hour, a day after it came."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.features.traffic_day import TrafficDay

_MINUTES = st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 1000)), max_size=40)


@given(_MINUTES)
def test_the_total_is_that_of_the_last_24_hours(drawn: list[tuple[int, int]]) -> None:
    day = TrafficDay()
    drawn = sorted(drawn)
    for at, (minute, events) in enumerate(drawn):
        day.add(minute, events)
        oldest = minute // 60 - 23
        assert day.total() == sum(n for m, n in drawn[: at + 1] if m // 60 >= oldest)
    packed = msgspec.msgpack.encode(day)
    assert msgspec.msgpack.decode(packed, type=TrafficDay) == day
    assert TrafficDay().total() == 0
