"""MMD with spectral regularisation: a window's mean, measured along benign axes.

Plain MMD adds up squared differences of mean embeddings as they come, so the few
directions in which benign prompts differ most drown all others. Divided by the benign
variance of each direction, a small share of prompts of a rare kind stands out.

Method: random Fourier features of an RBF kernel (Rahimi and Recht 2007), principal axes
of a benign reference, and squared differences along them, divided by the variance: the
kernel Fisher test (Harchaoui, Bach and Moulines 2007), at several truncations as in the
aggregated spectral test (Hagrass, Sriperumbudur and Li 2022). MMD itself is one of the
weightings: it is the best where an attack only shifts what is there already.

What fools it: prompts with the markers and ratios of benign ones. False positives: a
group whose mixture of benign kinds is its own; on such groups it has no power that is
left after calibration, and a group's own past is the reference to take
(`streams.models.neighbours`).
Status: experimental; measured by ``distillwatch benchmark detection``, not yet part of
a decision.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.models.sketch_space import BIT_STEP, squared_distances

__all__ = ["AXES", "TRUNCATIONS", "SpectralMap"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AXES: Final = 256
TRUNCATIONS: Final = (32, 128, AXES)
"""Leading axes that are added up, each count a statistic of its own, beside MMD."""
_FREQUENCIES: Final = 500
_SAMPLE: Final = 1500
"""Reference prompts that the kernel's width is taken from."""
_SEED: Final = 1
_FLOOR: Final = 1e-9
"""Of a variance; axes beyond the rank of the features count nothing."""


class SpectralMap:
    """Coordinates along the principal axes of a benign reference; then frozen.

    ``reference`` are points of `SketchSpace`, shape (n, 42), n >= 2.
    """

    def __init__(self, reference: Floats) -> None:
        chance = np.random.default_rng(_SEED)
        scaled = reference / np.float32(BIT_STEP)
        squared = squared_distances(scaled[:_SAMPLE], scaled[:_SAMPLE])
        apart = squared[np.triu_indices(len(squared), 1)]
        positive = apart[apart > 0]
        # The median heuristic: exp(-d^2 / (2 median^2)).
        width = float(np.sqrt(np.median(positive))) if len(positive) else 1.0
        drawn = chance.normal(size=(reference.shape[1], _FREQUENCIES))
        self._frequencies = (drawn / (width * BIT_STEP)).astype(np.float32)
        features = self._features(reference)
        self._centre = features.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(features.T))
        self._axes = axes[:, ::-1][:, :AXES].astype(np.float32)
        self.variances: Doubles = np.maximum(variances[::-1][:AXES], _FLOOR)

    def _features(self, points: Floats) -> Floats:
        phases = points @ self._frequencies
        waves = np.hstack([np.cos(phases), np.sin(phases)])
        waves /= np.float32(np.sqrt(_FREQUENCIES))
        return waves

    def coordinates(self, points: Floats) -> Floats:
        """Give whitened coordinates, shape (n, 256): mean 0, variance 1 if benign."""
        centred = (self._features(points) - self._centre) @ self._axes
        found: Floats = centred / np.sqrt(self.variances).astype(np.float32)
        return found

    def statistics(self, means: Doubles, sizes: NDArray[np.int64]) -> Doubles:
        """Give MMD and the truncated sums of windows, shape (windows, 4).

        ``means`` are the windows' mean coordinates, shape (windows, 256), less the mean
        of benign windows where that is known better than the reference tells it.
        """
        squared = means**2 * sizes[:, None]
        columns = [(squared * self.variances).sum(axis=1)]
        columns += [squared[:, :axes].sum(axis=1) for axes in TRUNCATIONS]
        return np.stack(columns, axis=1)
