"""Copies texts back to back, as a compiled loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit

__all__ = ["copy_loop"]

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]


@jit
def copy_loop(block: _Bytes, at: _Ints, size: _Ints, to: _Bytes, begin: int) -> None:
    """Copy ``block[at : at + size]`` of each row to ``to``, from ``begin`` on."""
    for row in range(len(at)):
        for byte in range(size[row]):
            to[begin + byte] = block[at[row] + byte]
        begin += size[row]
