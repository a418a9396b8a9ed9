"""The ledger that tests tell is the one that the budget kept."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.contracts import Decision
from streams.policy.budget import DAILY_BUDGET, Budget, earned
from streams.policy.budget_ledger import budget_days, ledger_entries

DAY = 1440
MS = 60_000


def _tested(
    number: int, minute: int, level: float, left: float, daily: float = DAILY_BUDGET
) -> Decision:
    rejected = number % 3 == 0
    return Decision(
        decision_id=f"d{number}",
        subject=f"campaign:dc-{number}" if rejected else f"group:{number}",
        kind="tested",
        occurred_at=minute * MS,
        campaign_id=f"dc-{number}" if rejected else "",
        e_value=(2 if rejected else 0.5) / level,
        threshold=round(1 / level, 6),
        level=level,
        budget_left=left,
        daily_budget=daily,
        look=0,
    )


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 700), st.booleans(), st.booleans()),
        min_size=1,
        max_size=120,
    ),
    daily=st.floats(0.01, 2.0),
)
def test_days_are_told_by_their_tests(
    steps: list[tuple[int, bool, bool]], daily: float
) -> None:
    """Two purses, as with imported indicators; a policy changes the general one."""
    purses, wealth = {False: Budget(), True: Budget()}, dict[int, float]()
    amounts = {False: daily, True: daily / 4}
    decisions: list[Decision] = []
    wanted: dict[int, dict[bool, tuple[float, float]]] = {}
    spent: dict[int, list[float]] = {}
    minute = 0
    for number, (wait, watched, changes) in enumerate(steps):
        minute += wait
        if changes and number == len(steps) // 2:
            amounts[False] = daily * 3
        budget, amount = purses[watched], amounts[watched]
        level = budget.next_level(minute, amount, 0.2 if number % 5 == 0 else 1.0)
        left = budget.left(minute, amount)
        decisions.append(_tested(number, minute, level, left, amount))
        if number % 3 == 0:
            budget.note_find()
        day = minute // DAY
        spent.setdefault(day, []).append(level)
        ends = amount, budget.left(minute, amount), earned(budget.finds, amount)
        wanted.setdefault(day, {})[watched] = ends
        wealth[day] = sum(each[2] for each in wanted[day].values())
    days = budget_days(decisions)
    assert [each.tests for each in days] == [len(spent[day]) for day in sorted(spent)]
    for told, day in zip(days, sorted(spent), strict=True):
        assert math.isclose(told.spent, math.fsum(spent[day]))
        ends = wanted[day].values()
        assert math.isclose(told.daily, sum(amount for amount, *_ in ends))
        assert math.isclose(told.left, sum(left for _, left, _ in ends))
        assert math.isclose(told.earned, wealth[day])
        assert told.expected_wrong <= (told.daily + told.earned) * (1 + 1e-9)
    assert sum(each.rejected for each in days) == sum(
        number % 3 == 0 for number in range(len(steps))
    )
    last = ledger_entries(decisions)[-1]
    amount, *_ = wanted[minute // DAY][steps[-1][1]]
    assert math.isclose(last.daily, amount)
    assert last.left == decisions[-1].budget_left


def test_a_repeated_record_counts_once_and_other_kinds_do_not() -> None:
    budget = Budget()
    test = _tested(0, 5, budget.next_level(5), budget.left(5))
    other = Decision(
        decision_id="x", subject="account:a", kind="issued", occurred_at=5 * MS
    )
    (day,) = budget_days([test, other, test])
    assert (day.day, day.tests, day.rejected) == ("1970-01-01", 1, 1)
    assert day.found == ("dc-0",)
    assert math.isclose(day.spent + day.left, day.daily + day.earned)


def test_a_look_that_confirms_is_not_paid_for() -> None:
    budget = Budget()
    paid = _tested(0, 5, budget.next_level(5), budget.left(5))
    free = replace(
        paid, decision_id="later", occurred_at=9 * MS, budget_left=0.0, daily_budget=0.0
    )
    assert ledger_entries([paid, free]) == ledger_entries([paid])
    (day,) = budget_days([paid, free])
    assert (day.tests, day.spent) == (1, paid.level)


def test_no_test_no_day() -> None:
    assert budget_days([]) == []
