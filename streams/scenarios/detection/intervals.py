"""A rate with its 95 % confidence interval after Clopper and Pearson."""

from __future__ import annotations

from typing import Final, Self

import msgspec
from scipy.special import gammaincinv

from streams.models.exact_tests import clopper_pearson

__all__ = ["CONFIDENCE", "Rate", "per_unit"]

CONFIDENCE: Final = 0.95


def per_unit(
    events: int, exposure: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Give the exact interval of a Poisson rate (Garwood 1936), events per unit.

    >>> [round(bound, 3) for bound in per_unit(0, 10.0)]
    [0.0, 0.369]
    """
    tail = (1 - confidence) / 2
    low = float(gammaincinv(events, tail)) if events else 0.0
    return low / exposure, float(gammaincinv(events + 1, 1 - tail)) / exposure


class Rate(msgspec.Struct, frozen=True):
    """``hits`` of ``trials``; the bounds hold the true rate with 95 % confidence.

    ``rate`` is None without trials.

    >>> Rate.of(3, 4).rate
    0.75
    """

    hits: int
    trials: int
    rate: float | None
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, trials: int) -> Self:
        """Make the rate of so many hits."""
        low, high = clopper_pearson(hits, trials, CONFIDENCE)
        return cls(hits, trials, hits / trials if trials else None, low, high)
