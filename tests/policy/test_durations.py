from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import PolicyError
from streams.policy.durations import format_duration, parse_duration

TEN_YEARS = 3650 * 1440


@given(st.integers(0, TEN_YEARS))
def test_what_is_written_is_read_again(minutes: int) -> None:
    assert parse_duration(format_duration(minutes)) == minutes


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "1w", "-1d", "1.5h", " 1d", "1d ", "1D", "٣d", "1d12h", "4000d"],
)
def test_anything_else_is_refused_and_shown(text: str) -> None:
    with pytest.raises(PolicyError, match=r"write 30m, 24h or 7d|ten years") as told:
        parse_duration(text)
    assert repr(text) in str(told.value)
