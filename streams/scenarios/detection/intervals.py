"""A rate with its 95 % confidence interval after Clopper and Pearson."""

from __future__ import annotations

from typing import Final, Self

import msgspec
from scipy.special import betaincinv, gammaincinv

__all__ = ["CONFIDENCE", "Rate", "clopper_pearson", "per_unit"]

CONFIDENCE: Final = 0.95


def clopper_pearson(
    hits: int, trials: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Give the exact interval of a binomial rate (Clopper and Pearson 1934).

    Quantiles of the beta distribution; without trials it is all of 0 to 1.

    >>> [round(bound, 4) for bound in clopper_pearson(0, 1000)]
    [0.0, 0.0037]
    """
    tail = (1 - confidence) / 2
    low, high = 0.0, 1.0
    if hits > 0:
        low = float(betaincinv(hits, trials - hits + 1, tail))
    if hits < trials:
        high = float(betaincinv(hits + 1, trials - hits, 1 - tail))
    return low, high


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
        low, high = clopper_pearson(hits, trials)
        return cls(hits, trials, hits / trials if trials else None, low, high)
