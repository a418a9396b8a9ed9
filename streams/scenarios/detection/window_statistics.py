r"""Statistics of a window of prompts: ours, and the peers' as far as they go here.

Every statistic gives a number per window; larger is more suspicious. Windows are rows
of a pool of prompts, so that kernels and distances are computed once per pool.

* ``combined``: ours, `streams.models.window_test`: the least tail probability of
  ``spectral_mmd`` (`streams.models.spectral`) and ``neighbours``
  (`streams.models.neighbours`), both against a benign reference.
* ``own_history``: ours, `streams.models.neighbours` against the group's own past. It
  knows more than the others do: prompts of the group from before the window.
* ``markers_mmd``: squared MMD (V-statistic; Gretton et al. 2012) between window and
  reference on the sketch's marker bits and ratios, RBF kernel, width by the median
  distance in the reference.
* ``ngrams_mmd``: the same on hashed n-grams, for the published MMD on embeddings.
* ``mahalanobis``: of the window's mean n-gram vector, 32 principal components, with
  the reference's covariance (the paper's adaptation scores the same summary).
* ``prada``: 1 - W of Shapiro and Wilk over each query's least distance to an earlier
  one (Juuti et al. 2019); no classes here, so one set; within 3 standard deviations.
* ``seat``: share of queries with an earlier one nearer than the reference's 1st
  percentile of distances (Zhang et al. 2021, without their trained encoder).
* ``half_space_trees``: River's defaults, learned on the reference, frozen; mean score.
* ``midas_r``: largest edge score, edges from head to tail of the template, 50 a tick.
* ``rate_limit``: every account may send so many; a window has no clock, so it is blind.

PRADA and SEAT see the first 300 queries of a window: their cost is quadratic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees
from scipy.stats import shapiro

from streams.models.sketch_space import squared_distances
from streams.scenarios.detection.midas import MidasR
from streams.scenarios.detection.own_statistics import OWN, OwnStatistics, Window
from streams.scenarios.detection.prompt_vectors import PromptPool

__all__ = ["STATISTICS", "Kernel", "Window", "WindowStatistics", "median_width"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Windows = Sequence[Ints]

STATISTICS: Final = (
    *OWN,
    "markers_mmd",
    "ngrams_mmd",
    "mahalanobis",
    "prada",
    "seat",
    "half_space_trees",
    "midas_r",
    "rate_limit",
)
_COMPONENTS: Final = 32
_NEAR: Final = 0.01
_DEVIATIONS: Final = 3.0
_SEQUENTIAL: Final = 300
_LATER: Final = np.triu(np.ones((_SEQUENTIAL, _SEQUENTIAL), dtype=bool))
"""Queries that do not come before one."""
_TICK: Final = 50
_TREE_SEED: Final = 1
_RIDGE: Final = 1e-3


def median_width(vectors: Floats) -> float:
    """Give the RBF width by the median heuristic: gamma = 1 / (2 median^2)."""
    squared = _squared_distances(vectors, vectors)
    upper = squared[np.triu_indices(len(vectors), 1)]
    positive = upper[upper > 0]
    middle = float(np.median(positive)) if len(positive) else 1.0
    return 1 / (2 * middle)


def _squared_distances(left: Floats, right: Floats) -> Floats:
    found = squared_distances(left, right)
    np.maximum(found, 0, out=found)  # rounding may go below
    return found


class Kernel:
    """An RBF kernel over a pool, and the squared MMD of windows to a reference.

    >>> import numpy as np
    >>> pool = np.array([[0.0], [0.1], [5.0], [5.1]], dtype=np.float32)
    >>> kernel = Kernel(pool, np.array([0, 1]))
    >>> near, far = kernel.mmd([np.array([0, 1]), np.array([2, 3])])
    >>> round(float(near), 6), round(float(far), 3)
    (0.0, 1.607)
    """

    def __init__(self, pool: Floats, reference: Ints) -> None:
        gamma = median_width(pool[reference])
        # In place: of ten thousand prompts it takes 400 MB.
        self._gram = _squared_distances(pool, pool)
        self._gram *= np.float32(-gamma)
        np.exp(self._gram, out=self._gram)
        self._to_reference = self._gram[:, reference].mean(axis=1)
        self._own = float(self._to_reference[reference].mean())

    def mmd(self, windows: Windows) -> NDArray[np.float64]:
        """Squared MMD of each window, as a V-statistic."""
        return np.array([self._squared(window) for window in windows])

    def _squared(self, window: Ints) -> float:
        # Of the window's own rows alone: the whole matrix is a hundred times as large.
        rows, counts = np.unique(window, return_counts=True)
        weights = (counts / len(window)).astype(np.float32)
        within = float(weights @ self._gram[np.ix_(rows, rows)] @ weights)
        across = float(weights @ self._to_reference[rows])
        return within - 2 * across + self._own


class WindowStatistics:
    """All statistics over one pool, with one benign reference."""

    def __init__(
        self,
        pool: PromptPool,
        reference: Ints,
        names: Sequence[str] = STATISTICS,
    ) -> None:
        self.names = tuple(names)
        self._pool = pool
        self._reference = reference
        self._distances: dict[bytes, NDArray[np.float64]] = {}
        """Least distances by window: two statistics take them."""
        makers: Mapping[str, Callable[[], Callable[[Windows], NDArray[np.float64]]]] = {
            "markers_mmd": lambda: Kernel(pool.markers, reference).mmd,
            "ngrams_mmd": lambda: Kernel(pool.ngrams, reference).mmd,
            "mahalanobis": self._mahalanobis,
            "prada": self._prada,
            "seat": self._seat,
            "half_space_trees": self._half_space_trees,
            "midas_r": self._midas,
            "rate_limit": lambda: lambda windows: np.zeros(len(windows)),
        }
        self._scores = {name: makers[name]() for name in names if name not in OWN}
        self._own = OwnStatistics(pool, reference) if set(names) & set(OWN) else None

    def fit(self, windows: Sequence[Window]) -> None:
        """Learn from benign windows of one size what they usually score, in `OWN`."""
        if self._own is not None:
            self._own.fit(windows)

    def score(self, name: str, windows: Sequence[Window]) -> NDArray[np.float64]:
        """Give the statistic of each window; the larger, the more suspicious."""
        if self._own is not None and name in OWN:
            return self._own.score(name, windows)
        return self._scores[name]([window.rows for window in windows])

    def _mahalanobis(self) -> Callable[[Windows], NDArray[np.float64]]:
        reference = self._pool.ngrams[self._reference].astype(np.float64)
        centre = reference.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov(reference.T))
        axes = axes.T[-_COMPONENTS:]
        reduced = (self._pool.ngrams - centre) @ axes.T
        spread = np.cov(reduced[self._reference].T)
        spread += _RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))
        inverse = np.linalg.inv(spread)

        def scores(windows: Windows) -> NDArray[np.float64]:
            means = np.stack([reduced[window].mean(axis=0) for window in windows])
            found: NDArray[np.float64] = np.einsum("ij,jk,ik->i", means, inverse, means)
            return found

        return scores

    @cached_property
    def _likeness(self) -> Floats:
        """Cosine of every pair of the pool, once: n-gram vectors have length 1."""
        found: Floats = self._pool.ngrams @ self._pool.ngrams.T
        return found

    def _nearest(self, window: Ints) -> NDArray[np.float64]:
        """Each query's least distance to an earlier one of the window."""
        rows = window[:_SEQUENTIAL]
        key = rows.tobytes()
        if key not in self._distances:
            likeness = self._likeness[np.ix_(rows, rows)]
            likeness[_LATER[: len(rows), : len(rows)]] = -1.0
            closest = likeness[1:].max(axis=1).astype(np.float64)
            self._distances[key] = np.sqrt(np.maximum(2 - 2 * closest, 0))
        return self._distances[key]

    def _prada(self) -> Callable[[Windows], NDArray[np.float64]]:
        def statistic(window: Ints) -> float:
            nearest = self._nearest(window)
            spread = _DEVIATIONS * nearest.std()
            kept = nearest[np.abs(nearest - nearest.mean()) <= spread]
            flat = len(kept) <= _DEVIATIONS or np.ptp(kept) == 0
            return 1.0 if flat else 1.0 - float(shapiro(kept).statistic)

        return lambda windows: np.array([statistic(window) for window in windows])

    def _seat(self) -> Callable[[Windows], NDArray[np.float64]]:
        vectors = self._pool.ngrams[self._reference]
        squared = _squared_distances(vectors, vectors)
        near = np.sqrt(np.quantile(squared[np.triu_indices(len(vectors), 1)], _NEAR))

        def scores(windows: Windows) -> NDArray[np.float64]:
            return np.array([(self._nearest(w) < near).mean() for w in windows])

        return scores

    def _half_space_trees(self) -> Callable[[Windows], NDArray[np.float64]]:
        trees: Any = HalfSpaceTrees(seed=_TREE_SEED)
        rows = [dict(enumerate(row)) for row in self._pool.markers.tolist()]
        for row in self._reference.tolist():
            trees.learn_one(rows[row])
        each = np.array([trees.score_one(row) for row in rows])
        return lambda windows: np.array([each[window].mean() for window in windows])

    def _midas(self) -> Callable[[Windows], NDArray[np.float64]]:
        trained = MidasR()
        for at in range(0, len(self._reference), _TICK):
            self._tick(trained, self._reference[at : at + _TICK])

        def statistic(window: Ints) -> float:
            stream = trained.copy()
            return max(
                self._tick(stream, window[at : at + _TICK])
                for at in range(0, len(window), _TICK)
            )

        return lambda windows: np.array([statistic(window) for window in windows])

    def _tick(self, stream: MidasR, rows: Ints) -> float:
        scores = stream.tick(self._pool.heads[rows], self._pool.tails[rows])
        return float(scores.max())
