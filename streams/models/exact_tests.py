"""Exact tail probabilities of counts, and the interval of a rate.

A rate that was seen in a few cases needs the exact binomial distribution: normal
approximations are wrong just where labels are few.
"""

from __future__ import annotations

import math
from typing import Final

from scipy.special import betaincinv

__all__ = ["binomial_tail", "clopper_pearson", "poisson_tail", "rate_interval"]

_DECIMALS: Final = 9
"""Probabilities are rounded so that they print and compare the same everywhere."""


def binomial_tail(at_least: int, trials: int, rate: float) -> float:
    """Give the probability of ``at_least`` hits in ``trials`` when each has ``rate``.

    >>> binomial_tail(5, 5, 0.2), binomial_tail(0, 5, 0.2)
    (0.00032, 1.0)
    """
    if at_least <= 0:
        return 1.0
    if at_least > trials or rate <= 0:
        return 0.0
    if rate >= 1:
        return 1.0
    hit, miss = math.log(rate), math.log1p(-rate)
    terms = (
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * hit
        + (trials - k) * miss
        for k in range(at_least, trials + 1)
    )
    return min(round(math.fsum(map(math.exp, terms)), _DECIMALS), 1.0)


def poisson_tail(at_least: int, expected: float) -> float:
    """Give the probability of ``at_least`` events when so many are ``expected``.

    >>> poisson_tail(1, 0.2)
    0.181269247
    """
    if at_least <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    below = math.fsum(
        math.exp(k * math.log(expected) - expected - math.lgamma(k + 1))
        for k in range(at_least)
    )
    return max(round(1 - below, _DECIMALS), 0.0)


def clopper_pearson(
    hits: int, trials: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Give the exact interval of a binomial rate (Clopper and Pearson 1934).

    It holds the true rate with at least the probability ``confidence``; without trials
    it is all of 0 to 1.

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


def rate_interval(
    hits: int, trials: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Give `clopper_pearson` rounded, so that it prints the same everywhere.

    >>> rate_interval(9, 10)
    (0.554984, 0.997471)
    """
    low, high = clopper_pearson(hits, trials, confidence)
    return round(low, 6), round(high, 6)
