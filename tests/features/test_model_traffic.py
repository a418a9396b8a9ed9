"""Everybody's traffic by model, for the hours that are asked for."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.features.model_traffic import REMEMBERED_HOURS, ModelTraffic, model_hash

_NAMES = ("large", "small", "newest")
_TRAFFIC = st.lists(
    st.tuples(st.integers(0, 90), st.sampled_from(_NAMES), st.integers(1, 9)),
    max_size=40,
)


@given(_TRAFFIC)
def test_the_newest_hours_add_up(steps: list[tuple[int, str, int]]) -> None:
    traffic, truth, minute = ModelTraffic(), Counter[tuple[int, str]](), 0
    dated: list[tuple[int, str, int]] = []
    for gap, model, events in steps:
        minute += gap
        traffic.add(minute, model_hash(model), events)
        dated.append((minute, model, events))
        truth[minute // 60, model] += events
    newest = minute // 60
    for hour in range(newest + 1):
        kept = newest - hour < REMEMBERED_HOURS
        named = {n: truth[hour, n] for n in _NAMES if kept and truth[hour, n]}
        assert traffic.of_hour(hour, _NAMES) == (sum(named.values()), named)
    for at in (minute - 1, minute):
        total = sum(n for now, _, n in dated if now == at == minute)
        assert traffic.events_in(at) == total
        assert sum(traffic.uses_in(at, name) for name in _NAMES) == total
    packed = msgspec.msgpack.encode(traffic)
    assert msgspec.msgpack.decode(packed, type=ModelTraffic) == traffic
