"""The false-enforcement budget: which error level the next test of a group gets.

Test k of a day gets level a_k with the sum of all a_k at most B, the expected number of
benign groups that may be taken for campaigns in a day. A group is rejected when its
e-value reaches 1/a_k; Markov's inequality then bounds the expected number of wrong
rejections by B under arbitrary dependence between groups and looks.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.policy.durations import MINUTES_PER_DAY

__all__ = ["DAILY_BUDGET", "HORIZON", "Budget"]

DAILY_BUDGET: Final = 0.2
"""Expected benign groups rejected per day of event time, all detectors together."""

HORIZON: Final = 50
"""Tests over which the level halves twice: the series B h / ((k + h - 1)(k + h))
telescopes to B, never ends, and gives early tests about B/h each, so that opening
groups of accounts can thin the budget out but never exhaust it."""


class Budget(msgspec.Struct, array_like=True):
    """Tests taken on one day of event time, and the levels given to them.

    >>> budget = Budget()
    >>> round(1 / budget.next_level(0)), round(1 / budget.next_level(1))
    (255, 265)
    >>> sum(budget.next_level(2) for _ in range(10_000)) < DAILY_BUDGET
    True
    """

    day: int = -1
    tests: int = 0

    def level(self, minute: int, daily: float = DAILY_BUDGET) -> float:
        """Tell the level of the next test taken in ``minute``, without spending it."""
        k = 1 + self._taken(minute)
        return daily * HORIZON / ((k + HORIZON - 1) * (k + HORIZON))

    def left(self, minute: int, daily: float = DAILY_BUDGET) -> float:
        """Tell what is left of the day's budget in ``minute``.

        >>> round(Budget().left(0), 3)
        0.2
        """
        return daily * HORIZON / (self._taken(minute) + HORIZON)

    def _taken(self, minute: int) -> int:
        return self.tests if minute // MINUTES_PER_DAY <= self.day else 0

    def next_level(self, minute: int, daily: float = DAILY_BUDGET) -> float:
        """Spend the level of the next test taken in ``minute``."""
        level = self.level(minute, daily)
        day = minute // MINUTES_PER_DAY
        if day > self.day:
            self.day, self.tests = day, 0
        self.tests += 1
        return level
