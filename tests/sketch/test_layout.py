"""The layout's arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.sketch.layout import (
    SKETCH_BYTES,
    SKETCH_DTYPE,
    count_level,
    share_level,
)
from streams.sketch.record import PACKING


def test_the_three_descriptions_of_the_layout_agree() -> None:
    assert SKETCH_DTYPE.itemsize == PACKING.size == SKETCH_BYTES == 88
    offsets = {name: SKETCH_DTYPE.fields[name][1] for name in SKETCH_DTYPE.names}
    assert offsets == {
        "version": 0, "key_epoch": 1, "markers": 2, "ratios": 6, "system": 16,
        "head": 24, "tail": 32, "minhash": 40, "exact": 72, "tools": 80,
    }  # fmt: skip


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_levels_of_counts_rise(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= count_level(low) <= count_level(high) <= 255
    if high > low * 1.13 + 1 and high < 2**31:
        assert count_level(low) < count_level(high)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_levels_of_shares_rise(one: int, other: int, whole: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= share_level(low, whole) <= share_level(high, whole) <= 255
    assert share_level(whole, whole) == (255 if whole else 0)
