"""Accounts that were opened together: more of them than a busy hour explains.

An account has mates when others of its group were opened within half an hour of it. In
a rush of sign-ups everybody has some, and in a small group two may meet by chance. So
what is measured is a surprise: how unlikely it would be for so many to have mates, if
each one's neighbours of a wider window lay anywhere in it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Final

__all__ = [
    "MIN_BATCH_SHARE",
    "NEAR",
    "batch_pairs",
    "batched_accounts",
    "others_within",
    "surprise",
]

NEAR: Final = 30
"""Minutes within which accounts count as opened together."""
MIN_BATCH_SHARE: Final = 0.25
"""Share of the accounts opened within a day of one that must be of its half hour: in a
rush of sign-ups it is a fiftieth."""
_DECADES: Final = 10.0
"""Powers of ten of improbability that count as 1: more tell no more."""


def batched_accounts(created: list[int], window: int) -> float:
    """Tell how surprising it is that so many accounts have mates, 0 to 1.

    ``created`` is sorted, in minutes; ``window`` is on either side of an account.

    >>> batched_accounts([0, 9, 500, 509, 900, 911], 360)
    0.643563
    >>> batched_accounts(list(range(0, 1400, 2)), 360)  # a rush
    0.0
    """
    chance = (NEAR + 0.5) / (window + 0.5)
    found, expected = 0, []
    for minute in created:
        found += others_within(created, minute, NEAR) > 0
        expected.append(1 - (1 - chance) ** others_within(created, minute, window))
    return _scaled(surprise(found, len(created), math.fsum(expected)))


def batch_pairs(created: list[int], window: int) -> float:
    """Tell how surprising it is that so many pairs were opened together, 0 to 1.

    Of the pairs within ``window`` minutes of each other, few are within half an hour.
    Pairs of the same accounts are not independent: all of them weigh no more than as
    many trials as there are accounts.

    >>> batch_pairs([0, 9, 500, 509, 900, 911], 360)
    0.323754
    """
    near = _pairs(created, NEAR)
    pairs = _pairs(created, window)
    if not pairs:
        return 0.0
    weight = min(len(created) / pairs, 1.0)
    return _scaled(weight * surprise(near, pairs, pairs * NEAR / window))


def surprise(found: int, trials: int, expected: float) -> float:
    """Bound the improbability of ``found`` hits or more; powers of ten, from 0.

    Chernoff's bound for independent trials of unequal chances (Hoeffding 1963, theorem
    1). Here the trials are not independent, so it is a measure and no p-value.

    >>> surprise(6, 6, 0.6), surprise(1, 6, 1.0)
    (6.0, 0.0)
    """
    if found <= expected:
        return 0.0
    share, chance = found / trials, expected / trials
    bound = share * math.log10(share / chance)
    if share < 1:
        bound += (1 - share) * math.log10((1 - share) / (1 - chance))
    return trials * bound


def others_within(created: list[int], minute: int, within: int) -> int:
    """Count the others opened so many minutes before or after ``minute``, at most.

    ``created`` is sorted and has ``minute`` itself.

    >>> others_within([5, 7, 9, 99], 7, within=2)
    2
    """
    last = bisect_right(created, minute + within)
    return last - bisect_left(created, minute - within) - 1


def _pairs(created: list[int], within: int) -> int:
    return sum(
        bisect_right(created, minute + within) - place - 1
        for place, minute in enumerate(created)
    )


def _scaled(decades: float) -> float:
    return round(min(decades / _DECADES, 1.0), 6)
