"""Room that was never written takes no memory, and holds zeros."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from streams.features.zero_pages import zero_pages

_SIZE = 200_000_000


@pytest.mark.parametrize("count", [0, 1, 1000, 70_000, 9_000_000])
@pytest.mark.parametrize("dtype", [np.uint8, np.dtype([("a", "u1"), ("b", "<u8")])])
def test_it_is_an_array_of_zeros(count: int, dtype: npt.DTypeLike) -> None:
    made, wanted = zero_pages(count, dtype), np.zeros(count, dtype)
    assert made.dtype == wanted.dtype
    assert (made == wanted).all()
    made[-1:] = np.ones(1, dtype)
    assert np.count_nonzero(made) == min(count, 1)


def test_only_what_is_written_takes_memory() -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    room = zero_pages(_SIZE, np.uint8)
    room[: _SIZE // 10] = 1
    taken = process.memory_info().rss - before
    assert _SIZE // 20 < taken < _SIZE // 4
