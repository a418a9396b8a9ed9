from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.agents.idle_rule import WatermarkHistory

TIMES = st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(0, 50)))


@given(TIMES, st.integers(0, 30))
def test_it_is_the_highest_minute_noted_so_long_ago(
    steps: list[tuple[int, int | None]], age: int
) -> None:
    history, noted, now = WatermarkHistory(age), [(-1, -1)], 0
    for wait, minute in steps:
        now += wait
        history.note(now, [minute])
        if minute is not None:
            noted.append((now, minute))
        expected = max(m for at, m in noted if at <= now - age or at < 0)
        assert history.before(now) == (None if expected < 0 else expected)


def test_it_forgets_at_a_rebalance() -> None:
    history = WatermarkHistory(1.0)
    history.note(0.0, [5])
    history.clear()
    assert history.before(10.0) is None
