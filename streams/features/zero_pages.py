"""Tables with room to grow, of which only what was written takes memory.

The C library clears memory that it uses again, and then all of it is resident: a table
with as much room as rows takes twice its memory. Pages fresh from the system are zero
and take none until they are written.
"""

from __future__ import annotations

import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["zero_pages"]

_LEAST_BYTES: Final = 1 << 16
"""Below, rounding up to pages of 4 kB would cost more than is won."""

_HUGE_FROM: Final = 1 << 25
"""Bytes from which pages of 2 MB are asked for: random rows of 32 MB are beyond what
the processor keeps the places of, and what the last page wastes is little."""


def zero_pages(count: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Make an array of zeros, shape (count,), as `numpy.zeros` does.

    >>> zero_pages(100_000, "<u4")[-2:]
    array([0, 0], dtype=uint32)
    """
    size = count * np.dtype(dtype).itemsize
    if size < _LEAST_BYTES:
        return np.zeros(count, dtype)
    if hasattr(mmap, "MAP_PRIVATE"):  # Unix; a fork must not write into ours
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    else:
        pages = mmap.mmap(-1, size)
    if size >= _HUGE_FROM and hasattr(mmap, "MADV_HUGEPAGE"):  # Linux
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, dtype, count)
