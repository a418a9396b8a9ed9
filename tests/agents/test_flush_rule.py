from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.agents.flush_rule import FlushPace, FlushRule

turns = st.lists(
    st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)), min_size=8
)


@given(turns)
def test_one_turn_of_four_flushes_whatever_comes(of: list[tuple[int, int]]) -> None:
    rule = FlushRule()
    due = [rule.is_due(unflushed=taken, waiting=waiting) for taken, waiting in of]
    for at in range(len(due) - 3):
        assert any(due[at : at + 4])


@given(turns)
def test_only_one_far_behind_with_little_taken_waits(of: list[tuple[int, int]]) -> None:
    rule = FlushRule()
    for taken, waiting in of:
        if not rule.is_due(unflushed=taken, waiting=waiting):
            assert waiting >= 50_000 > taken


@given(st.floats(0.01, 5), st.lists(st.floats(0, 9), max_size=60))
def test_flushes_keep_their_pace_but_for_a_burst_after_a_rest(
    interval: float, pauses: list[float]
) -> None:
    pace, now, begun = FlushPace(interval), 0.0, []
    for pause in pauses:
        now += pause * interval
        now += pace.wait(now)
        pace.take(now)
        begun.append(now)
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            # As many as an interval each allows, and at most eight more.
            allowed = 8 + (begun[last] - begun[first]) / interval
            assert last - first + 1 <= allowed + 1e-6


def test_a_flush_after_a_rest_waits_for_nothing() -> None:
    pace = FlushPace(0.5)
    for _ in range(20):
        pace.take(1.0)
    assert pace.wait(1.0) == 0.5
    assert pace.wait(1.4) < 0.11
    assert pace.wait(1.6) == 0.0


@given(st.floats(0.01, 1), st.floats(0, 3))
def test_short_flushes_take_half_of_the_time_at_most(
    interval: float, duration: float
) -> None:
    pace, now, begun = FlushPace(interval), 0.0, []
    for _ in range(40):
        now += pace.wait(now)
        pace.take(now)
        begun.append(now)
        now += duration
        pace.took(duration)
    # As many as that allows, and those of the burst after the rest.
    needed = min(max(interval, 2 * duration), 4 * interval)
    assert len(begun) <= 8 + (begun[-1] - begun[0]) / needed + 1e-6
