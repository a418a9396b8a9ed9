"""The false-enforcement budget: which error level the next test of a group gets.

B is the expected number of benign groups that may be taken for campaigns in a day. A
half of it is there at midnight, and the rest falls due evenly over the day; each test
spends a fixed share of what is due and not spent. So the levels of a day add up to less
than B, and they follow the number of tests: of a few tests each gets a level of B/100
to B/50, and of N tests, once there are hundreds of them, B/(2N).

Not all tests weigh the same (weights fixed beforehand leave the bound as it is:
Genovese, Roeder and Wasserman 2006). Nearly all groups of a platform have nothing but
wordings in common, and nearly all of these are honest: in the simulated populations one
in forty is a campaign's, and one in two to six of those that share payments or
networks. They get a fifth of the share, or they would leave nothing to the others.
Groups of one customer or place are few, but one in seventy: they get a half.

A group is rejected when its e-value reaches 1/level. Markov's inequality then bounds
the expected number of wrong rejections by B under arbitrary dependence between groups
and looks: a level depends on how many tests of which sort there were and when, never
on what their evidence was.

A large platform has more groups of both sorts, and with B alone its levels would thin
out until nothing is found. Therefore each group that is found adds a quarter of B to
that day's budget, up to four times B (alpha-investing, Foster and Stine 2008; as in
e-LOND, Xu and Ramdas 2024, levels grow with the finds). The wrong rejections expected
are then at most B and a quarter of B for each find: with the shipped B one in twenty of
many finds. Where nothing is found, nothing changes. This part asks for more: that a
benign group's evidence does not depend on what was found among the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.contracts.time_units import MINUTES_PER_DAY

__all__ = [
    "DAILY_BUDGET",
    "EARNED_BY_A_FIND",
    "MOST_EARNED",
    "SHARE_AT_MIDNIGHT",
    "SHARE_OF_A_TEST",
    "WEIGHT_OF_A_TEST",
    "Budget",
    "due",
    "earned",
]

DAILY_BUDGET: Final = 0.2
"""Expected benign groups rejected per day of event time, all detectors together."""

SHARE_AT_MIDNIGHT: Final = 0.5
"""Share of a day's budget that is due when the day begins."""

SHARE_OF_A_TEST: Final = 0.02
"""Share of what is due and not spent that a test of weight 1 gets: a day's first test
has a level of B/100, and a burst of tests halves the level every 35 of them."""

WEIGHT_OF_A_TEST: Final[Mapping[str, float]] = {
    "one_site": 0.5,
    "sharing": 1.0,
    "templates": 0.2,
    "infrastructure": 1.0,
}
"""By the stratum of the group; see `streams.models.reference.stratum_of`."""

EARNED_BY_A_FIND: Final = 0.25
"""What a found group adds to its day's budget, in units of the daily one."""

MOST_EARNED: Final = 4.0
"""The most that the finds of a day add, in the same units: who opens campaigns to be
found buys others no more than this."""


def due(minute: int, day: int, daily: float = DAILY_BUDGET) -> float:
    """Tell how much of a day's budget is due in ``minute``.

    >>> round(due(0, 0), 3), round(due(720, 0), 3), round(due(1440, 0), 3)
    (0.1, 0.15, 0.2)
    """
    elapsed = min(max(minute / MINUTES_PER_DAY - day, 0.0), 1.0)
    return daily * (SHARE_AT_MIDNIGHT + (1 - SHARE_AT_MIDNIGHT) * elapsed)


def earned(finds: int, daily: float = DAILY_BUDGET) -> float:
    """Tell what so many finds of a day have added to its budget.

    >>> [round(earned(finds), 2) for finds in (0, 1, 14, 100)]
    [0.0, 0.05, 0.7, 0.8]
    """
    return daily * min(EARNED_BY_A_FIND * finds, MOST_EARNED)


class Budget(msgspec.Struct, array_like=True):
    """Tests taken on one day of event time, what was spent on them, and their finds.

    >>> budget = Budget()
    >>> round(1 / budget.next_level(0)), round(1 / budget.next_level(1))
    (500, 510)
    >>> round(1 / budget.next_level(2, weight=0.2))
    2599
    >>> sum(budget.next_level(2 * 1440 + minute) for minute in range(1440)) < 0.2
    True
    """

    day: int = -1
    tests: int = 0
    spent: float = 0.0
    finds: int = 0

    def level(
        self, minute: int, daily: float = DAILY_BUDGET, weight: float = 1.0
    ) -> float:
        """Tell the level of the next test taken in ``minute``, without spending it.

        ``weight`` is at most 1; see `WEIGHT_OF_A_TEST`.
        """
        day = max(self.day, minute // MINUTES_PER_DAY)
        there = due(minute, day, daily) + self._balance(minute, daily)
        return weight * SHARE_OF_A_TEST * max(there, 0.0)

    def left(self, minute: int, daily: float = DAILY_BUDGET) -> float:
        """Tell what is left of the day's budget in ``minute``, due or not.

        >>> round(Budget().left(0), 3)
        0.2
        """
        return max(daily + self._balance(minute, daily), 0.0)

    def _balance(self, minute: int, daily: float) -> float:
        """Tell what the minute's day has earned by finds, less what tests spent."""
        if minute // MINUTES_PER_DAY > self.day:
            return 0.0
        return earned(self.finds, daily) - self.spent

    def next_level(
        self, minute: int, daily: float = DAILY_BUDGET, weight: float = 1.0
    ) -> float:
        """Spend the level of the next test taken in ``minute``."""
        level = self.level(minute, daily, weight)
        day = minute // MINUTES_PER_DAY
        if day > self.day:
            self.day, self.tests, self.spent, self.finds = day, 0, 0.0, 0
        self.tests += 1
        self.spent += level
        return level

    def note_find(self) -> None:
        """Take note that the last test found a group: the budget of its day grows.

        >>> budget = Budget()
        >>> _ = budget.next_level(0)
        >>> budget.note_find()
        >>> round(1 / budget.next_level(0))
        338
        """
        self.finds += 1
