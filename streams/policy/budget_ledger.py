"""The ledger of the false-enforcement budget, read back from llm.decisions.

Each test says which level it was given, what its purse holds a day, and what it held
afterwards, before a find of its own added to it. With the finds before it that tells
what the purse had spent (`streams.policy.budget`): the ledger needs no policy and no
state.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from streams.contracts.records import Decision
from streams.contracts.time_units import MS_PER_DAY
from streams.policy.budget import earned

__all__ = ["DayLedger", "LedgerEntry", "budget_days", "ledger_date", "ledger_entries"]


class LedgerEntry(NamedTuple):
    """A test as its decision tells it.

    ``daily`` is what its purse holds a day and ``left`` what it held after the test;
    ``at`` is event time in ms since the epoch; ``finds`` are those of its purse and
    day, its own among them.
    """

    at: int
    subject: str
    daily: float
    level: float
    left: float
    rejected: bool
    finds: int

    @property
    def earned(self) -> float:
        """What the finds of its purse have added to it by now."""
        return earned(self.finds, self.daily)

    @property
    def spent(self) -> float:
        """What its purse has spent that day, this test's level included."""
        before = earned(self.finds - self.rejected, self.daily)
        return self.daily + before - self.left


class DayLedger(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests of one day of event time were given.

    ``day`` is a date. ``spent`` adds up the levels: by Markov's inequality it is the
    most benign groups that one has to expect among the ``rejected`` tests of that day.
    ``daily`` is the budget, 0 when no test tells it, ``earned`` what the day's finds
    added to it, and ``left`` what remains of both. ``found`` are the campaigns that
    were found that day.
    """

    day: str
    tests: int = 0
    spent: float = 0.0
    left: float = 0.0
    daily: float = 0.0
    earned: float = 0.0
    rejected: int = 0
    found: tuple[str, ...] = ()

    @property
    def expected_wrong(self) -> float:
        """The most benign groups to expect among the rejected ones."""
        return self.spent


def ledger_entries(decisions: Iterable[Decision]) -> list[LedgerEntry]:
    """Read the tests that were paid for out of decisions, each once, in their order.

    A look that confirms a campaign costs nothing, and tells of no budget.

    >>> first = Decision(decision_id="d", subject="group:1", kind="tested",
    ...                  occurred_at=0, e_value=1900.0, threshold=667.0,
    ...                  level=0.0015, budget_left=0.1985, daily_budget=0.2)
    >>> [(test.daily, test.left, test.rejected) for test in ledger_entries([first])]
    [(0.2, 0.1985, True)]
    """
    return [test for test, _ in _paid(decisions)]


def _paid(decisions: Iterable[Decision]) -> Iterator[tuple[LedgerEntry, int]]:
    """Give each paid test, and the number of its purse on its day.

    There may be two purses: one is kept for groups with an imported indicator. What a
    purse has spent tells them apart, even when a new policy changes what it holds.
    """
    once = {each.decision_id: each for each in decisions if each.kind == "tested"}
    last: dict[int, list[LedgerEntry]] = {}
    for each in once.values():
        if each.level <= 0 or each.budget_left <= 0:
            continue
        daily = each.daily_budget
        purses = last.setdefault(each.occurred_at // MS_PER_DAY, [])
        # A purse that was not seen yet has spent and found nothing.
        known = [*((purse.finds, purse.spent) for purse in purses), (0, 0.0)]
        held = daily - each.budget_left - each.level
        surprises = [abs(held + earned(n, daily) - spent) for n, spent in known]
        number = surprises.index(min(surprises))
        rejected = each.e_value * each.level >= 1
        test = LedgerEntry(
            at=each.occurred_at,
            subject=each.subject,
            daily=daily,
            level=each.level,
            left=each.budget_left,
            rejected=rejected,
            finds=known[number][0] + rejected,
        )
        purses[number:] = [test, *purses[number + 1 :]]
        yield test, number


def budget_days(decisions: Iterable[Decision]) -> list[DayLedger]:
    """Sum the tests of each day of event time up, the first day first."""
    by_day: dict[int, list[LedgerEntry]] = {}
    last: dict[int, dict[int, LedgerEntry]] = {}
    for test, purse in _paid(decisions):
        day = test.at // MS_PER_DAY
        by_day.setdefault(day, []).append(test)
        last.setdefault(day, {})[purse] = test
    days, seen = [], set[str]()
    for day in sorted(by_day):
        tests = by_day[day]
        new = [
            test.subject for test in tests if test.rejected and test.subject not in seen
        ]
        seen.update(new)
        purses = last[day].values()
        days.append(
            DayLedger(
                day=ledger_date(day * MS_PER_DAY),
                tests=len(tests),
                spent=math.fsum(test.level for test in tests),
                left=math.fsum(
                    purse.daily + purse.earned - purse.spent for purse in purses
                ),
                daily=math.fsum(purse.daily for purse in purses),
                earned=math.fsum(purse.earned for purse in purses),
                rejected=sum(test.rejected for test in tests),
                found=tuple(each.partition(":")[2] for each in dict.fromkeys(new)),
            )
        )
    return days


def ledger_date(at: int) -> str:
    """Give the date, UTC, of a time in ms since the epoch; a day of the ledger.

    >>> ledger_date(86_400_000)
    '1970-01-02'
    """
    return str(dt.date(1970, 1, 1) + dt.timedelta(milliseconds=at))
