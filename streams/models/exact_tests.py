"""Exact tail probabilities of counts, and the interval of a rate.

A rate that was seen in a few cases needs the exact binomial distribution: normal
approximations are wrong just where labels are few.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

__all__ = ["binomial_tail", "poisson_tail", "rate_interval"]

_HALVINGS: Final = 60
"""Bisections of [0, 1]; after 53 of them a double has no more digits."""
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


def rate_interval(
    hits: int, trials: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Give the interval of a rate after Clopper and Pearson (1934).

    It holds the true rate with at least the probability ``confidence``; without trials
    it is all of 0 to 1.

    >>> rate_interval(9, 10)
    (0.554984, 0.997471)
    """
    tail = (1 - confidence) / 2
    low, high = 0.0, 1.0
    if hits > 0:
        low = _bisect(lambda rate: binomial_tail(hits, trials, rate) > tail)
    if hits < trials:
        high = _bisect(
            lambda rate: binomial_tail(trials - hits, trials, 1 - rate) <= tail
        )
    return round(low, 6), round(high, 6)


def _bisect(above: Callable[[float], bool]) -> float:
    """Find where a condition that is false for small rates becomes true."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) else (middle, high)
    return (low + high) / 2
