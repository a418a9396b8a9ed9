"""One test of a window of prompts out of several statistics of it.

Each statistic's benign distribution is fitted on benign windows of the same size, and
the score is that of the least tail probability: ``-log10 p`` of the most surprising
statistic. The fits only put statistics on one scale. The threshold is the caller's, by
conformal ranks of *other* benign windows, so a poor fit costs power, not validity.

The windows that are fitted also give the centre that mean coordinates are measured
from: several hundred windows know the mean of benign traffic better than a reference
of a few thousand prompts does. Where only the reference's mean is to be had, pooled
windows of 1,500 (500) prompts with 5 % of an attack were found in 87 % (58 %), and not
in 92 % (67 %).

Sums of squares are fitted by a gamma distribution of the same mean and variance (Welch
1938, Satterthwaite 1946), counts by a Poisson distribution that is stretched by their
variance over their mean.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincc

from streams.models.spectral import SpectralMap

__all__ = ["FEWEST_COMPANIONS", "WindowSummaries", "WindowTest"]

Doubles = NDArray[np.float64]

FEWEST_COMPANIONS: Final = 3
"""Companions that make a prompt one of a cluster, against a benign reference that is
several times as large as a window. Fixed on benign windows: with three, a window of 500
has one or two such prompts."""
_LEAST_P: Final = 1e-300
_HALF_A_PROMPT: Final = 0.5
"""Added to the sum of all counts: a count that was never seen has a mean yet."""


class WindowSummaries(NamedTuple):
    """What the test needs of n windows.

    ``means``: mean coordinates (n, 256) of `SpectralMap`. ``crowded``: distinct prompts
    with at least `FEWEST_COMPANIONS` companions. ``sizes``: prompts.
    """

    means: Doubles
    crowded: NDArray[np.int64]
    sizes: NDArray[np.int64]


class WindowTest:
    """The test, fitted on benign windows of one size."""

    def __init__(self, spectral: SpectralMap, benign: WindowSummaries) -> None:
        self._spectral = spectral
        self._centre = benign.means.mean(axis=0)
        sums = spectral.statistics(benign.means - self._centre, benign.sizes)
        self._sums = _Gamma.fit(sums)
        self._counts = _StretchedPoisson.fit(benign.crowded)

    def scores(self, windows: WindowSummaries) -> Doubles:
        """Give each window's score, 0 to 300; the larger, the more suspicious."""
        return np.maximum(self.spectral_scores(windows), self.count_scores(windows))

    def spectral_scores(self, windows: WindowSummaries) -> Doubles:
        """Give the scores of mean coordinates alone."""
        centred = windows.means - self._centre
        sums = self._spectral.statistics(centred, windows.sizes)
        return np.asarray(_surprise(self._sums.tail(sums)).max(axis=1))

    def count_scores(self, windows: WindowSummaries) -> Doubles:
        """Give the scores of crowded prompts alone."""
        return _surprise(self._counts.tail(windows.crowded))


def _surprise(p: Doubles) -> Doubles:
    return np.asarray(-np.log10(np.maximum(p, _LEAST_P)))


class _Gamma(NamedTuple):
    shape: Doubles
    scale: Doubles

    @classmethod
    def fit(cls, values: Doubles) -> Self:
        mean = np.maximum(values.mean(axis=0), _LEAST_P)
        variance = np.maximum(values.var(axis=0), _LEAST_P)
        return cls(mean**2 / variance, variance / mean)

    def tail(self, values: Doubles) -> Doubles:
        return np.asarray(gammaincc(self.shape, values / self.scale))


class _StretchedPoisson(NamedTuple):
    mean: float
    stretch: float

    @classmethod
    def fit(cls, counts: NDArray[np.int64]) -> Self:
        mean = (float(counts.sum()) + _HALF_A_PROMPT) / max(len(counts), 1)
        return cls(mean, max(float(counts.var()) / mean, 1.0))

    def tail(self, counts: NDArray[np.int64]) -> Doubles:
        """P(N >= count); 1 for a count of 0."""
        stretched = np.maximum(counts, _LEAST_P) / self.stretch
        p = gammainc(stretched, self.mean / self.stretch)
        return np.where(counts > 0, p, 1.0)
