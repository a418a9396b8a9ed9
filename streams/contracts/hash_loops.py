"""The hash of `streams.contracts.byte_column`, value by value, as a compiled loop."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit

__all__ = ["hash_loop"]

_WORD: Final = 8
_ALL_BITS: Final = np.uint64(0xFFFFFFFFFFFFFFFF)

_Ints = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]


@jit
def hash_loop(
    words: _Hashes,
    at: _Ints,
    size: _Ints,
    begin: np.uint64,
    length_factor: np.uint64,
    factor: np.uint64,
    fold: np.uint64,
    hashes: _Hashes,
) -> None:
    """Hash each value to ``hashes``; the constants are those of the plain version."""
    for row in range(len(at)):
        bytes_ = max(size[row], 0)
        mixed = np.uint64(bytes_) * length_factor ^ begin
        for start in range(0, bytes_, _WORD):
            word = words[at[row] + start]
            left = bytes_ - start
            if left < _WORD:
                word &= _ALL_BITS >> np.uint64(8 * (_WORD - left))
            mixed = (mixed ^ word) * factor
            mixed ^= mixed >> fold
        for _ in range(2):
            mixed = (mixed ^ (mixed >> fold)) * factor
            mixed ^= mixed >> fold
        hashes[row] = mixed
