"""Our window statistics over a pool of prompts: each row is worked on once.

The statistics themselves are `streams.models`'; here they are computed for thousands of
windows that share their prompts. All of them see the sketch's 14 marker bytes, and its
exact hash to leave out repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from streams.models.neighbours import crowded_share, nearest
from streams.models.sketch_space import SketchSpace, squared_distances
from streams.models.spectral import SpectralMap
from streams.models.window_test import FEWEST_COMPANIONS, WindowSummaries, WindowTest
from streams.scenarios.detection.prompt_vectors import PromptPool

__all__ = ["HISTORY_COMPANIONS", "OWN", "OwnStatistics", "Window"]

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]

OWN: Final = ("spectral_mmd", "neighbours", "combined", "own_history")
HISTORY_COMPANIONS: Final = 8
"""Companions that make a prompt new to a group. More than against a benign reference: a
group's past is not much larger than a window, and a part of a mixture that has grown
brings some."""
_BATCH: Final = 500
"""Windows worked on at once."""
_BLOCK: Final = 512
"""Rows of a distance matrix held at once."""


class Window(NamedTuple):
    """Rows of a pool: a window of a group, and prompts of the group's past."""

    rows: Ints
    history: Ints


class OwnStatistics:
    """Our statistics, with one benign reference."""

    def __init__(self, pool: PromptPool, reference: Ints) -> None:
        self._distinct = pool.distinct
        space = SketchSpace(pool.ratios[reference])
        self._points = space.points(pool.bits, pool.ratios)
        benign = self._points[reference]
        self._spectral = SpectralMap(benign)
        self._coordinates = self._spectral.coordinates(self._points)
        self._mates = _mates(self._points, nearest(self._points, benign))
        self._test: WindowTest | None = None
        self._known: dict[int, tuple[Sequence[Window], WindowSummaries]] = {}
        """Summaries by the windows' identity, of one size: three statistics ask."""

    def fit(self, windows: Sequence[Window]) -> None:
        """Put the parts of the combined test on one scale, on benign windows."""
        self._known.clear()
        self._test = WindowTest(self._spectral, self.summaries(windows))

    def score(self, name: str, windows: Sequence[Window]) -> Doubles:
        """Give a statistic of each window; `fit` comes before, of the same size."""
        if name == "own_history":
            return np.array([self._against_history(window) for window in windows])
        if self._test is None:
            raise RuntimeError("fit() comes before score()")
        of = {
            "spectral_mmd": self._test.spectral_scores,
            "neighbours": self._test.count_scores,
            "combined": self._test.scores,
        }
        return of[name](self.summaries(windows))

    def summaries(self, windows: Sequence[Window]) -> WindowSummaries:
        """Summarise windows for the combined test; the same ones only once."""
        if id(windows) not in self._known:
            self._known[id(windows)] = windows, self._summarised(windows)
        return self._known[id(windows)][1]

    def _summarised(self, windows: Sequence[Window]) -> WindowSummaries:
        means, crowded = [], []
        for batch in _batches(windows):
            counts = np.zeros((len(batch), len(self._points)), dtype=np.float32)
            there = np.zeros((len(self._points), len(batch)), dtype=np.float32)
            for at, window in enumerate(batch):
                np.add.at(counts[at], window.rows, 1 / len(window.rows))
                there[self._distinct[window.rows], at] = 1
            means.append(counts @ self._coordinates)
            mates = (self._mates @ there) * there
            crowded.append((mates >= FEWEST_COMPANIONS).sum(axis=0))
        return WindowSummaries(
            np.concatenate(means).astype(np.float64),
            np.concatenate(crowded).astype(np.int64),
            np.array([len(window.rows) for window in windows], dtype=np.int64),
        )

    def _against_history(self, window: Window) -> float:
        rows, history = (np.unique(self._distinct[part]) for part in window)
        return crowded_share(
            self._points[rows], self._points[history], HISTORY_COMPANIONS
        )


def _mates(points: NDArray[np.float32], outside: NDArray[np.float32]) -> csr_array:
    """Mark, for each row, the rows that would be companions of it in a window."""
    rows, columns = [], []
    for at in range(0, len(points), _BLOCK):
        block = slice(at, at + _BLOCK)
        near = squared_distances(points[block], points) < outside[block, None]
        row, column = np.nonzero(near)
        other = row + at != column
        rows.append(row[other] + at)
        columns.append(column[other])
    where = (np.concatenate(rows), np.concatenate(columns))
    ones = np.ones(len(where[0]), dtype=np.float32)
    return csr_array((ones, where), shape=(len(points), len(points)))


def _batches(windows: Sequence[Window]) -> Iterator[Sequence[Window]]:
    for at in range(0, len(windows), _BATCH):
        yield windows[at : at + _BATCH]
