"""A move of a share shows within hours; a rhythm is not a drift."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.drift import share_drifted


@given(st.floats(0, 1), st.integers(1, 40))
@settings(max_examples=40)
def test_a_steady_share_never_drifts(share: float, uses: int) -> None:
    assert not share_drifted([(uses, share)] * 48)


@given(st.floats(0, 0.2), st.floats(0.6, 1))
@settings(max_examples=20)
def test_a_large_move_drifts_up_or_down(low: float, high: float) -> None:
    assert share_drifted([(25, low)] * 48 + [(25, high)] * 4)
    assert share_drifted([(25, high)] * 48 + [(25, low)] * 4)
