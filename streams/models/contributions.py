"""How much each feature adds to a likeness score: for explanation, never for decisions.

The models are linear, so a score is the intercept plus one product a feature. What a
product adds is all there is to tell about a feature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from streams.models.reference import Prior

__all__ = ["contributions"]


def contributions(prior: Prior, features: Mapping[str, float]) -> dict[str, float]:
    """Give each feature's share of what speaks for distillation, 0 to 1.

    Features that speak against it, or not at all, have the share 0.

    >>> prior = Prior(weights={"young": 3.0, "even": 1.0, "old": -9.0}, intercept=-4.0)
    >>> contributions(prior, {"young": 0.5, "even": 0.5, "old": 1.0})
    {'young': 0.75, 'even': 0.25, 'old': 0.0}
    """
    pulls = {
        name: max(prior.weights.get(name, 0.0) * value, 0.0)
        for name, value in features.items()
    }
    total = math.fsum(pulls.values())
    return {name: round(pull / (total or 1.0), 6) for name, pull in pulls.items()}
