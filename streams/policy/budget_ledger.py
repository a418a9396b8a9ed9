"""The ledger of the false-enforcement budget, read back from llm.decisions.

Each test says which level it was given and what its purse held afterwards. That tells
which test of the day it was and how large the purse was (`streams.policy.budget`), so
the ledger needs no policy and no state: a day is told by its tests.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from streams.contracts.records import Decision
from streams.policy.budget import HORIZON

__all__ = ["DayLedger", "LedgerEntry", "budget_days", "ledger_date", "ledger_entries"]

_MS_PER_DAY: Final = 86_400_000


class LedgerEntry(NamedTuple):
    """A test as its decision tells it; ``number`` counts those of its purse's day.

    ``daily`` is what the purse holds a day, ``at`` event time in ms since the epoch.
    """

    at: int
    subject: str
    number: int
    daily: float
    level: float
    left: float
    rejected: bool


class DayLedger(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests of one day of event time were given.

    ``day`` is a date. ``spent`` adds up the levels: by Markov's inequality it is the
    most benign groups that one has to expect among the ``rejected`` tests of that day.
    ``daily`` is the budget, 0 when no test tells it, and ``left`` what remains of it.
    ``found`` are the campaigns that were found that day.
    """

    day: str
    tests: int = 0
    spent: float = 0.0
    left: float = 0.0
    daily: float = 0.0
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
    ...                  occurred_at=0, e_value=900.0, threshold=255.0,
    ...                  level=0.2 / 51, budget_left=0.2 * 50 / 51)
    >>> [(test.number, round(test.daily, 6)) for test in ledger_entries([first])]
    [(1, 0.2)]
    """
    once = {each.decision_id: each for each in decisions if each.kind == "tested"}
    paid = (each for each in once.values() if each.level > 0 and each.budget_left > 0)
    return [_test(each) for each in paid]


def _test(decision: Decision) -> LedgerEntry:
    # Of k tests, level = B h / ((k + h - 1)(k + h)) and left = B h / (k + h).
    level, left = decision.level, decision.budget_left
    number = max(round(left / level) - HORIZON + 1, 1)
    return LedgerEntry(
        at=decision.occurred_at,
        subject=decision.subject,
        number=number,
        daily=left * (number + HORIZON) / HORIZON,
        level=level,
        left=left,
        rejected=decision.e_value * level >= 1,
    )


def budget_days(decisions: Iterable[Decision]) -> list[DayLedger]:
    """Sum the tests of each day of event time up, the first day first."""
    known = list(decisions)
    by_day: dict[int, list[LedgerEntry]] = {}
    for test in ledger_entries(known):
        by_day.setdefault(test.at // _MS_PER_DAY, []).append(test)
    days, seen = [], set[str]()
    for day in sorted(by_day):
        tests = by_day[day]
        new = [
            test.subject for test in tests if test.rejected and test.subject not in seen
        ]
        seen.update(new)
        purses = _purses(tests)
        days.append(
            DayLedger(
                day=ledger_date(day * _MS_PER_DAY),
                tests=len(tests),
                spent=math.fsum(test.level for test in tests),
                left=math.fsum(purse.left for purse in purses),
                daily=math.fsum(purse.daily for purse in purses),
                rejected=sum(test.rejected for test in tests),
                found=tuple(each.partition(":")[2] for each in dict.fromkeys(new)),
            )
        )
    return days


def _purses(tests: list[LedgerEntry]) -> list[LedgerEntry]:
    """Give the last test of each purse of a day.

    There may be two: one is kept for groups with an imported indicator. A new policy
    changes what a purse holds, and its tests are counted on.
    """
    purses: list[LedgerEntry] = []
    for test in tests:
        before = [
            place
            for place, purse in enumerate(purses)
            if purse.number == test.number - 1
        ]
        if before:
            # The nearest: a policy changes a budget, but hardly by more than the
            # purses differ from each other.
            nearest = min(
                before,
                key=lambda place: abs(math.log(purses[place].daily / test.daily)),
            )
            purses[nearest] = test
        else:
            purses.append(test)
    return purses


def ledger_date(at: int) -> str:
    """Give the date, UTC, of a time in ms since the epoch; a day of the ledger.

    >>> ledger_date(86_400_000)
    '1970-01-02'
    """
    return str(dt.date(1970, 1, 1) + dt.timedelta(milliseconds=at))
