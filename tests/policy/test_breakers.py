"""No more is enforced than a cap allows, and each cap is told once an hour."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.policy.breakers import Breakers
from streams.policy.policy import Caps

_CAPS = st.builds(
    Caps,
    actions_per_hour=st.none() | st.integers(1, 5),
    actions_per_hour_and_owner=st.none() | st.integers(1, 3),
    traffic_share=st.none() | st.sampled_from([0.1, 0.5, 1.0]),
)
_ACTION = st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(0, 30))
_TRAFFIC = 200


@given(_CAPS, st.lists(_ACTION, max_size=60))
def test_no_cap_is_ever_passed(caps: Caps, wanted: list[tuple[int, int, int]]) -> None:
    breakers, minute = Breakers(), 0
    taken: Counter[int] = Counter()
    owners: Counter[tuple[int, int]] = Counter()
    daily = 0
    for later, owner, adds in wanted:
        minute += later
        hour = minute // 60
        broken = breakers.exceeded(caps, minute, owner, adds=adds, traffic=_TRAFFIC)
        over = (
            (caps.actions_per_hour is not None and taken[hour] >= caps.actions_per_hour)
            or (
                caps.actions_per_hour_and_owner is not None
                and owners[hour, owner] >= caps.actions_per_hour_and_owner
            )
            or (
                caps.traffic_share is not None
                and daily + adds > caps.traffic_share * _TRAFFIC
            )
        )
        assert bool(broken) == over
        if not broken:
            breakers.count(minute, owner, adds=adds)
            taken[hour] += 1
            owners[hour, owner] += 1
            daily += adds
    assert breakers.daily == daily


def test_traffic_that_is_not_known_limits_nothing() -> None:
    caps = Caps(traffic_share=0.01)
    assert not Breakers().exceeded(caps, 0, 1, adds=900, traffic=0)


def test_each_cap_is_news_once_an_hour() -> None:
    breakers = Breakers()
    asked = [(0, "a"), (5, "a"), (6, "b"), (59, "b"), (60, "a"), (61, "a")]
    told = [breakers.is_news(minute, reason) for minute, reason in asked]
    assert told == [True, False, True, False, True, False]


def test_what_the_cap_was_is_told() -> None:
    breakers = Breakers(hour=0, issued=3)
    caps = Caps(actions_per_hour=3)
    told = breakers.exceeded(caps, 5, 1, adds=0, traffic=0)
    assert told == "3 enforced actions in an hour"


def test_a_cap_of_nothing_lets_nothing_through() -> None:
    for caps in (Caps(actions_per_hour=0), Caps(actions_per_hour_and_owner=0)):
        assert Breakers().exceeded(caps, 0, 1, adds=0, traffic=0)
    assert Breakers().exceeded(Caps(traffic_share=0), 0, 1, adds=1, traffic=100)
