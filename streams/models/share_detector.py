"""Sequential detection of a share that has risen above a tolerated one.

An e-detector of the Shiryaev-Roberts kind (Shin, Ramdas and Rinaldo 2022, "E-detectors:
a nonparametric framework for sequential change detection", arXiv 2203.03532). While
every exchange goes to a model with at most the tolerated probability, whatever came
before it, the mean number of looks before the score reaches a threshold is at least
that threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

__all__ = ["next_scores", "score", "steady_advantage"]

_LARGEST_GAIN: Final = 60.0
_LARGEST: Final = 1e30
"""Scores stop here: all thresholds are far below, and products stay finite."""


def next_scores(
    scores: Sequence[float],
    multiples: Sequence[float],
    *,
    uses: int,
    exchanges: int,
    tolerated: float,
) -> list[float]:
    """Bet on the odds of the tolerated share times each multiple, for one look.

    ``uses`` of the look's ``exchanges`` went to the model; ``tolerated`` lies in 0 to 1
    and may follow from all that was seen before the look.

    >>> next_scores([0.0], [10.0], uses=1, exchanges=10, tolerated=0.001)
    [9.14...]
    """
    factors = _factors(tuple(multiples), uses, exchanges, tolerated)
    return [
        min((before + 1) * factor, _LARGEST)
        for before, factor in zip(scores, factors, strict=True)
    ]


@lru_cache(maxsize=4096)
def _factors(
    multiples: tuple[float, ...], uses: int, exchanges: int, tolerated: float
) -> tuple[float, ...]:
    """Give what each bet multiplies its score by: looks are alike, minute by minute."""
    factors = []
    for multiple in multiples:
        gain = -exchanges * math.log1p((multiple - 1) * tolerated)
        if uses:  # as seldom
            gain = min(gain + uses * math.log(multiple), _LARGEST_GAIN)
        factors.append(math.exp(gain))
    return tuple(factors)


def score(scores: Sequence[float]) -> float:
    """Merge the scores of the bets: a mean of e-detectors is one, too."""
    return math.fsum(scores) / len(scores)


def steady_advantage(uses: int, exchanges: int, tolerated: float) -> float:
    """Give the log-likelihood ratio of the best steady share to the tolerated one.

    ``uses`` of all ``exchanges`` so far went to the model. 0 where the tolerated share
    already explains as many. A score, divided by this ratio, stays an e-detector where
    the share is any steady one: no share makes the exchanges likelier than the best
    does (universal inference: Wasserman, Ramdas and Balakrishnan 2020, section 3).

    >>> round(steady_advantage(3, 2000, 0.0003), 2)
    2.43
    """
    share = uses / exchanges
    if share <= tolerated:
        return 0.0
    rest = exchanges - uses
    others = rest * math.log((1 - share) / (1 - tolerated)) if rest else 0.0
    return uses * math.log(share / tolerated) + others
