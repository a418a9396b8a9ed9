"""A move to a new model shows within hours; a rhythm is not a drift."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.drift import REMEMBERED_HOURS, pivot_model, share_drifted

_STEADY = [(hour, {"large": 60, "small": 20}) for hour in range(48)]


@pytest.mark.parametrize("after", [2, 3, 6])
def test_half_of_the_traffic_moves_to_a_new_model(after: int) -> None:
    moved = [(48 + hour, {"large": 40, "newest": 40}) for hour in range(after)]
    assert pivot_model([*_STEADY, *moved]) == "newest"


def test_what_was_there_before_is_no_pivot() -> None:
    swung = [(48 + hour, {"large": 20, "small": 60}) for hour in range(3)]
    assert pivot_model([*_STEADY, *swung]) == ""
    assert pivot_model(_STEADY) == ""


def test_a_few_uses_of_a_new_model_are_no_pivot() -> None:
    tried = [(48 + hour, {"large": 75, "newest": 5}) for hour in range(3)]
    assert pivot_model([*_STEADY, *tried]) == ""


def test_too_little_is_known_at_first() -> None:
    assert pivot_model([]) == ""
    assert pivot_model([(0, {"large": 5}), (1, {"newest": 9})]) == ""


@given(st.floats(0, 1), st.integers(1, 40))
@settings(max_examples=40)
def test_a_steady_share_never_drifts(share: float, uses: int) -> None:
    assert not share_drifted([(uses, share)] * REMEMBERED_HOURS)


@given(st.floats(0, 0.2), st.floats(0.6, 1))
@settings(max_examples=20)
def test_a_large_move_drifts_up_or_down(low: float, high: float) -> None:
    assert share_drifted([(25, low)] * 48 + [(25, high)] * 4)
    assert share_drifted([(25, high)] * 48 + [(25, low)] * 4)
