"""Sketches as points: marker bits and ratios on one scale, with exact distances.

A ratio counts by its rank among benign prompts and not by its level: levels crowd where
benign prompts are many, and there a difference means most. Coordinates are small whole
numbers, so squared distances are exact in single precision and the same everywhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.sketch.layout import RATIOS

__all__ = ["BIT_STEP", "DIMENSIONS", "SketchSpace", "squared_distances"]

Floats = NDArray[np.float32]

_BITS: Final = 32
DIMENSIONS: Final = _BITS + len(RATIOS)
BIT_STEP: Final = 128
"""What a marker bit counts: half of a ratio's way from the least to the greatest rank.
Fewer than 2^24 squared steps lie between two points, so single precision is exact."""
_LEVELS: Final = 256


class SketchSpace:
    """The scale of ratios, taken from a benign reference and then frozen.

    ``ratios`` are the quantised ratios of benign prompts, shape (n, 10), n >= 1.

    >>> benign = np.arange(100, dtype=np.uint8)[:, None].repeat(10, axis=1)
    >>> space = SketchSpace(benign)
    >>> point = space.points(np.array([1], np.uint32), benign[50:51])[0]
    >>> point[:2].tolist(), point[-1].item()
    ([128.0, 0.0], 129.0)
    """

    def __init__(self, ratios: NDArray[np.uint8]) -> None:
        self._ranks = np.empty((_LEVELS, len(RATIOS)), dtype=np.float32)
        levels = np.arange(_LEVELS)
        for column in range(len(RATIOS)):
            ordered = np.sort(ratios[:, column])
            below = np.searchsorted(ordered, levels, side="left")
            up_to = np.searchsorted(ordered, levels, side="right")
            middle = (below + up_to) / (2 * len(ordered))
            self._ranks[:, column] = np.rint(middle * (_LEVELS - 1))

    def points(self, markers: NDArray[np.uint32], ratios: NDArray[np.uint8]) -> Floats:
        """Give the points of sketches, shape (n, 42): bits, then ranks of ratios."""
        bits = (markers[:, None] >> np.arange(_BITS, dtype=np.uint32)) & np.uint32(1)
        ranks = self._ranks[ratios, np.arange(len(RATIOS))]
        return np.hstack([bits.astype(np.float32) * BIT_STEP, ranks])


def squared_distances(left: Floats, right: Floats) -> Floats:
    """Give all squared distances, shape (left, right); exact for whole numbers.

    >>> squared_distances(np.float32([[0, 0]]), np.float32([[3, 4], [0, 1]])).tolist()
    [[25.0, 1.0]]
    """
    found: Floats = left @ right.T  # and in place from here: it may be large
    found *= -2
    found += (left**2).sum(axis=1)[:, None]
    found += (right**2).sum(axis=1)
    return found
