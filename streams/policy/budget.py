"""The false-enforcement budget: which error level the next test of a group gets.

B is the expected number of benign groups that may be taken for campaigns in a day. A
half of it is there at midnight, and the rest falls due evenly over the day; each test
spends a fixed share of what is due and not spent. So the levels of a day add up to less
than B, and they follow the number of tests: of a few tests each gets a level of B/133
to B/67, and of N tests, once there are hundreds of them, B/(2N).

A group is rejected when its e-value reaches 1/level. Markov's inequality then bounds
the expected number of wrong rejections by B under arbitrary dependence between groups
and looks: a level depends on how many tests there were and when, never on what their
evidence was.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.contracts.time_units import MINUTES_PER_DAY

__all__ = ["DAILY_BUDGET", "SHARE_AT_MIDNIGHT", "SHARE_OF_A_TEST", "Budget", "due"]

DAILY_BUDGET: Final = 0.2
"""Expected benign groups rejected per day of event time, all detectors together."""

SHARE_AT_MIDNIGHT: Final = 0.5
"""Share of a day's budget that is due when the day begins."""

SHARE_OF_A_TEST: Final = 0.015
"""Share of what is due and not spent that a test gets: a day's first test has a level
of B/133, and a burst of tests halves the level every 46 of them."""


def due(minute: int, day: int, daily: float = DAILY_BUDGET) -> float:
    """Tell how much of a day's budget is due in ``minute``.

    >>> round(due(0, 0), 3), round(due(720, 0), 3), round(due(1440, 0), 3)
    (0.1, 0.15, 0.2)
    """
    elapsed = min(max(minute / MINUTES_PER_DAY - day, 0.0), 1.0)
    return daily * (SHARE_AT_MIDNIGHT + (1 - SHARE_AT_MIDNIGHT) * elapsed)


class Budget(msgspec.Struct, array_like=True):
    """Tests taken on one day of event time, and what was spent on them.

    >>> budget = Budget()
    >>> round(1 / budget.next_level(0)), round(1 / budget.next_level(1))
    (667, 676)
    >>> sum(budget.next_level(2 * 1440 + minute) for minute in range(1440)) < 0.2
    True
    """

    day: int = -1
    tests: int = 0
    spent: float = 0.0

    def level(self, minute: int, daily: float = DAILY_BUDGET) -> float:
        """Tell the level of the next test taken in ``minute``, without spending it."""
        day = max(self.day, minute // MINUTES_PER_DAY)
        return SHARE_OF_A_TEST * max(due(minute, day, daily) - self._spent(minute), 0)

    def left(self, minute: int, daily: float = DAILY_BUDGET) -> float:
        """Tell what is left of the day's budget in ``minute``, due or not.

        >>> round(Budget().left(0), 3)
        0.2
        """
        return max(daily - self._spent(minute), 0.0)

    def _spent(self, minute: int) -> float:
        return self.spent if minute // MINUTES_PER_DAY <= self.day else 0.0

    def next_level(self, minute: int, daily: float = DAILY_BUDGET) -> float:
        """Spend the level of the next test taken in ``minute``."""
        level = self.level(minute, daily)
        day = minute // MINUTES_PER_DAY
        if day > self.day:
            self.day, self.tests, self.spent = day, 0, 0.0
        self.tests += 1
        self.spent += level
        return level
