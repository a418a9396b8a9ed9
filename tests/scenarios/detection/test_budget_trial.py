"""Wrong campaigns are counted by day, whatever number of processes counts."""

from __future__ import annotations

from streams.policy.budget import DAILY_BUDGET
from streams.scenarios.detection.budget_trial import BudgetPlan, budget_trial
from streams.scenarios.detection.source import Source


def test_wrong_campaigns_are_counted_by_day(source: Source) -> None:
    plan = BudgetPlan(populations=3, ordinary=20, hours=12, seed=5)
    result = budget_trial(source, plan)
    assert result.stated == DAILY_BUDGET
    assert result.populations == result.hit.trials == 3
    assert result.days == 1.5
    assert result.observed == result.wrong_campaigns / 1.5
    assert result.low <= result.observed <= result.high
    assert result.account_days == result.wrong_enforcement.trials > 0


def test_processes_do_not_change_the_budget_figures() -> None:
    plan = BudgetPlan(populations=2, ordinary=10, hours=6, seed=11)
    alone = budget_trial(Source.generated(11), plan)
    assert budget_trial(Source.generated(11), plan, jobs=2) == alone
