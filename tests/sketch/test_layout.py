"""The layout's arithmetic."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.sketch.layout import (
    SKETCH_BYTES,
    SKETCH_DTYPE,
    count_levels,
    share_levels,
)
from streams.sketch.record import PACKING


def test_the_three_descriptions_of_the_layout_agree() -> None:
    assert SKETCH_DTYPE.itemsize == PACKING.size == SKETCH_BYTES == 88
    offsets = {name: SKETCH_DTYPE.fields[name][1] for name in SKETCH_DTYPE.names}
    assert offsets == {
        "version": 0, "key_epoch": 1, "markers": 2, "ratios": 6, "system": 16,
        "head": 24, "tail": 32, "minhash": 40, "exact": 72, "tools": 80,
    }  # fmt: skip


@given(st.lists(st.integers(0, 10**12), max_size=20))
def test_levels_of_counts_rise(counts: list[int]) -> None:
    counts.sort()
    levels = count_levels(np.array(counts, dtype=np.int64)).tolist()
    assert levels == sorted(levels)
    assert all(0 <= level <= 255 for level in levels)
    for (low, high), (at, above) in zip(
        itertools.pairwise(counts), itertools.pairwise(levels), strict=True
    ):
        if high > low * 1.13 + 1 and high < 2**31:
            assert at < above


wholes = st.integers(0, 10**6)


@given(st.lists(st.tuples(wholes, wholes), min_size=1, max_size=20))
def test_levels_of_shares_are_their_roots(shares: list[tuple[int, int]]) -> None:
    parts, whole = np.array(shares, dtype=np.int64).T
    assert share_levels(parts, whole).tolist() == [
        math.isqrt(255 * 255 * min(part, of) // of) if of else 0 for part, of in shares
    ]
    assert share_levels(whole, whole).tolist() == [255 * (of > 0) for of in whole]
