"""Runs of equal values in sorted arrays, and what is counted inside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["last_of_each", "run_starts", "running", "segment_rank"]


def run_starts(*sorted_columns: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Find where a new run begins in columns that are sorted together.

    >>> run_starts(np.array([3, 3, 5, 5]), np.array([1, 2, 2, 2])).tolist()
    [0, 1, 2]
    """
    size = len(sorted_columns[0])
    if size == 0:
        return np.zeros(0, np.int64)
    new = np.zeros(size, bool)
    new[0] = True
    for column in sorted_columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def segment_rank(
    starts: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Count the true entries up to and including each one, anew in each run.

    >>> segment_rank(np.array([0, 3]), np.array([True, False, True, True, True]))
    array([1, 1, 2, 1, 2])
    """
    running = np.cumsum(counted, dtype=np.int64)
    before = running[starts] - counted[starts]
    lengths = np.diff(np.append(starts, len(counted)))
    return running - np.repeat(before, lengths)


def running(
    values: npt.NDArray[Any], begin: npt.NDArray[np.int64], base: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Add up within runs that begin at ``begin``, each from its own ``base``.

    Values may have a second axis; then ``base`` has it too.

    >>> running(np.array([1, 2, 3]), np.array([0, 2]), np.array([10, 20])).tolist()
    [11, 13, 23]
    """
    total = np.cumsum(values, axis=0, dtype=np.int64)
    lengths = np.diff(np.append(begin, len(values)))
    before = base.astype(np.int64) - (total[begin] - values[begin])
    up: npt.NDArray[np.int64] = total + np.repeat(before, lengths, axis=0)
    return up


def last_of_each(numbers: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.bool_]:
    """Mark where each number stands for the last time; they lie below ``count``.

    >>> last_of_each(np.array([4, 0, 4]), 5).tolist()
    [False, True, True]
    """
    places = np.arange(len(numbers))
    last = np.empty(count, np.int64)
    last[numbers] = places  # of a repeated index, the last is kept
    return np.asarray(last[numbers] == places, np.bool_)
