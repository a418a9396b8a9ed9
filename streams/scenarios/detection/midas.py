"""MIDAS-R: anomalies of edges in a stream of ticks (Bhatia et al., AAAI 2020).

Two count-min sketches per kind (edge, source, destination): the current tick's counts,
which fade by ``alpha`` from tick to tick, and all counts so far. An edge is scored by
the chi-squared statistic of current against mean, the largest of the three kinds, after
a tick's edges were counted (the paper: after each edge; the counts only grow within a
tick, so the tick's last score of an edge is its largest).
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["MidasR"]

Ints = NDArray[np.uint64]
_WIDTH: Final = 4096
_DEPTH: Final = 2
"""Rows of a count-min sketch: the authors' default."""
_ALPHA: Final = 0.5
_MULTIPLIERS: Final = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64
)
_SHIFT: Final = np.uint64(52)
"""The upper 12 bits of a product are the bucket: 4,096 of them."""
_EDGE: Final = np.uint64(0xD6E8FEB86659FD93)


class MidasR:
    """The sketches of one stream.

    >>> import numpy as np
    >>> midas = MidasR()
    >>> calm = [midas.tick(np.arange(3), np.arange(3)).max() for _ in range(20)]
    >>> burst = midas.tick(np.zeros(50, dtype=int), np.zeros(50, dtype=int)).max()
    >>> bool(burst > 10 * max(calm))
    True
    """

    def __init__(self) -> None:
        self._current = np.zeros((3, _DEPTH, _WIDTH))
        self._total = np.zeros((3, _DEPTH, _WIDTH))
        self._ticks = 0

    def copy(self) -> Self:
        """Make an independent copy, to go on from the same past twice."""
        other = type(self)()
        other._current, other._total = self._current.copy(), self._total.copy()  # noqa: SLF001 its own kind
        other._ticks = self._ticks  # noqa: SLF001 its own kind
        return other

    def tick(
        self, sources: NDArray[np.integer], destinations: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Count the edges of the next tick; give each one's score at its end."""
        self._ticks += 1
        self._current *= _ALPHA
        source, destination = sources.astype(np.uint64), destinations.astype(np.uint64)
        keys = (source * _EDGE + destination, source, destination)
        scores = np.zeros(len(source))
        for kind, key in enumerate(keys):
            buckets = _buckets(key)
            for row in range(_DEPTH):
                np.add.at(self._current[kind, row], buckets[row], 1.0)
                np.add.at(self._total[kind, row], buckets[row], 1.0)
            current = _least(self._current[kind], buckets)
            total = _least(self._total[kind], buckets)
            np.maximum(scores, self._chi_squared(current, total), out=scores)
        return scores

    def _chi_squared(
        self, current: NDArray[np.float64], total: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self._ticks == 1:
            return np.zeros(len(current))
        deviation = (current - total / self._ticks) * self._ticks
        expected = np.maximum(total, 1e-9) * (self._ticks - 1)
        return np.asarray(deviation**2 / expected, dtype=np.float64)


def _buckets(key: Ints) -> NDArray[np.int64]:
    with np.errstate(over="ignore"):
        return ((key[None, :] * _MULTIPLIERS[:, None]) >> _SHIFT).astype(np.int64)


def _least(
    table: NDArray[np.float64], buckets: NDArray[np.int64]
) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.stack(
        [table[row][buckets[row]] for row in range(_DEPTH)]
    ).min(axis=0)
    return found
