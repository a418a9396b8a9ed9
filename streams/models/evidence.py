"""Evidence: conformal p-values, e-values, and their weighted mean.

A p-value ranks a unit among reference units of the same size at the same look
(conformal: valid when the unit is exchangeable with them). A calibrator turns it into
an e-value, whose expectation under the null is at most 1 (Vovk and Wang 2021, section
2). E-values of several detectors are merged by a weighted mean, which is valid under
any dependence between them (section 3); a product would not be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, Self

import msgspec

__all__ = [
    "DENSE_RANKS",
    "RankedScores",
    "aim",
    "calibrate",
    "conformal_p",
    "merge",
    "resolution_limit",
    "staged",
]

DENSE_RANKS: Final = 128
"""Ranks kept one by one: the e-value doubles between ranks 1, 2, 4 …, and beyond the
hundredth it is small."""


class RankedScores(msgspec.Struct, frozen=True):
    """Scores of reference units, thinned out where nobody needs every one of them.

    ``scores[i]`` is the score with rank ``ranks[i]`` (1 is the largest) among ``size``
    units; both are in rank order. The first ones are all kept, and then one every
    eighth of an octave.
    """

    size: int
    ranks: list[int]
    scores: list[float]

    @classmethod
    def of(cls, scores: Iterable[float], dense: int = DENSE_RANKS) -> Self:
        """Rank scores, and thin them out behind the first ``dense`` of them.

        >>> RankedScores.of([2.0, 3.0, 1.0])
        RankedScores(size=3, ranks=[1, 2, 3], scores=[3.0, 2.0, 1.0])
        """
        ordered = sorted(scores, reverse=True)
        ranks = list(range(1, min(len(ordered), dense) + 1))
        while ranks and ranks[-1] < len(ordered):
            ranks.append(min(math.ceil(ranks[-1] * 2**0.125), len(ordered)))
        return cls(len(ordered), ranks, [ordered[rank - 1] for rank in ranks])

    def not_smaller(self, score: float) -> int:
        """Count units with a score not below ``score``; never too few of them."""
        scores, at, end = self.scores, 0, len(self.scores)
        while at < end:  # bisect has no falling order
            middle = (at + end) // 2
            if scores[middle] >= score:
                at = middle + 1
            else:
                end = middle
        return self.ranks[at] - 1 if at < len(self.ranks) else self.size


def conformal_p(score: float, reference: RankedScores) -> float:
    """Rank a score among reference scores; large scores give small p.

    >>> conformal_p(9.0, RankedScores.of([1.0, 2.0, 3.0]))
    0.25
    """
    return (1 + reference.not_smaller(score)) / (reference.size + 1)


def calibrate(p: float, reference_size: int) -> float:
    """Turn a p-value into an e-value, using the resolution that the reference has.

    A weighted mean of the all-or-nothing calibrators 2^j 1{p <= 2^-j} for j = 1 … J,
    where 2^-J is the smallest level the reference can reach. Each has expectation at
    most 1, and the weights 2^(j-J-1) add up to less than 1, hence so has the mean. The
    weights favour the far tail: decisions need e-values of hundreds, and a moderate p
    is no reason to act.

    >>> calibrate(0.25, 3), calibrate(0.001, 1023), calibrate(0.01, 1023)
    (2.5, 170.666015625, 2.666015625)
    """
    levels = max(int(math.log2(reference_size + 1)), 1)
    reached = (j for j in range(1, levels + 1) if p <= 2.0**-j)
    return math.fsum(2.0 ** (2 * j - levels - 1) for j in reached)


def aim(p: float, reference_size: int, level: float) -> float:
    """Turn a p-value into an e-value that is all for one ``level``, fixed in advance.

    The all-or-nothing calibrator (Vovk and Wang 2021, section 2) at the largest p below
    the level that the reference can tell: no calibrator reaches 1/level at a larger p.
    Beyond it, evidence counts no more: how small p is does not show.

    >>> aim(0.003, 1999, 1 / 255), aim(0.004, 1999, 1 / 255), aim(0.0, 99, 1 / 255)
    (285.7142857142857, 0.0, 0.0)
    """
    rank = math.floor(level * (reference_size + 1))
    # A p-value is a rank in so many places; half a place is room for its rounding.
    if rank == 0 or p * (reference_size + 1) > rank + 1 / 2:
        return 0.0
    return (reference_size + 1) / rank


def staged(p: float, targets: Iterable[float]) -> float:
    """Turn a p-value into the largest of some e-values that it may have.

    Decisions ask for a few e-values, fixed in advance: here they are ``targets``, in
    rising order. It is a mean of all-or-nothing calibrators, one for each, with equal
    weights: it jumps from one target to the next, and reaches each at a larger p than
    a calibrator for all levels does.

    >>> [staged(p, (20, 100, 300, 1000)) for p in (1 / 79, 1 / 80, 1 / 320, 1 / 2800)]
    [0.0, 20.0, 100.0, 1000.0]
    """
    reached, steps = 0.0, tuple(targets)
    for step in steps:
        if p * len(steps) * (step - reached) > 1:
            break
        reached = float(step)
    return reached


def resolution_limit(reference_size: int) -> float:
    """Give the largest e-value that a reference of this size can yield.

    >>> round(resolution_limit(1000), 1)
    341.3
    """
    return calibrate(1 / (reference_size + 1), reference_size)


def merge(e_values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Merge e-values by their weighted mean; weights need not sum to 1.

    >>> merge({"joint": 30.0, "timing": 2.0}, {"joint": 3, "timing": 1})
    23.0
    """
    total = math.fsum(weights[name] for name in e_values)
    return math.fsum(weights[name] * e for name, e in e_values.items()) / total
