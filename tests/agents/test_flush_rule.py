from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.agents.flush_rule import FlushRule

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
