"""Runs of equal values, and last places, against plain Python."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.features.segments import last_of_each, run_starts, segment_rank

_PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=30).map(
    sorted
)


@given(_PAIRS)
def test_run_starts(pairs: list[tuple[int, int]]) -> None:
    columns = np.array(pairs, np.int64).reshape(-1, 2).T
    expected, at = [], 0
    for _, run in groupby(pairs):
        expected.append(at)
        at += len(list(run))
    assert run_starts(*columns).tolist() == expected


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1))
def test_segment_rank(runs: list[list[bool]]) -> None:
    starts = np.cumsum([0, *map(len, runs[:-1])])
    expected = [sum(run[: at + 1]) for run in runs for at in range(len(run))]
    counted = np.array([flag for run in runs for flag in run])
    assert segment_rank(starts, counted).tolist() == expected


@given(st.lists(st.integers(0, 4), max_size=12))
def test_last_of_each(numbers: list[int]) -> None:
    expected = [number not in numbers[at + 1 :] for at, number in enumerate(numbers)]
    assert last_of_each(np.array(numbers, np.int64), 5).tolist() == expected
