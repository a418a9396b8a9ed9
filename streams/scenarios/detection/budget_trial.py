"""The stated budget, tested: benign populations, and what was taken for a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from streams.policy.budget import DAILY_BUDGET
from streams.scenarios.detection.campaign_figures import figures
from streams.scenarios.detection.intervals import Rate, per_unit
from streams.scenarios.detection.populations import benign
from streams.scenarios.detection.run import run, simulated
from streams.scenarios.detection.source import Source

__all__ = ["BudgetFigures", "budget_trial"]

_BATCH_MINUTES: Final = 480
_HOURS_PER_DAY: Final = 24


class BudgetFigures(msgspec.Struct, frozen=True):
    """Wrong campaigns per simulated day: the bound ``stated``, the rate ``observed``.

    ``low`` and ``high`` hold the true rate with 95 % confidence (Garwood). ``hit`` is
    of the populations, which are independent. ``wrong_accounts`` were actioned above
    ``label``; ``wrong_by_kind`` counts them by their cohort.
    """

    stated: float
    observed: float
    low: float
    high: float
    populations: int
    days: float
    wrong_campaigns: int
    hit: Rate
    wrong_accounts: int
    account_days: int
    wrong_by_kind: dict[str, int]


def budget_trial(
    source: Source,
    *,
    populations: int,
    ordinary: int,
    hours: float,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> BudgetFigures:
    """Run so many benign populations, each with ``ordinary`` accounts and more."""
    wrong = hit = account_days = 0
    kinds: Counter[str] = Counter()
    for number in range(populations):
        scenario = benign(seed + number, ordinary=ordinary, hours=hours)
        done = run(
            simulated(scenario, source), responds=False, batch_minutes=_BATCH_MINUTES
        )
        found = {
            alert.campaign_id
            for alert in done.outcome.alerts
            if alert.kind == "campaign_found"
        }
        result = figures(done)
        wrong += len(found)
        hit += bool(found)
        for cohort in result.cohorts:
            kinds[cohort.cohort] += cohort.above_label()
        account_days += result.account_days
        progress("benign populations", number + 1, populations)
    days = populations * hours / _HOURS_PER_DAY
    low, high = per_unit(wrong, days)
    return BudgetFigures(
        stated=DAILY_BUDGET,
        observed=wrong / days,
        low=low,
        high=high,
        populations=populations,
        days=days,
        wrong_campaigns=wrong,
        hit=Rate.of(hit, populations),
        wrong_accounts=kinds.total(),
        account_days=account_days,
        wrong_by_kind={kind: count for kind, count in sorted(kinds.items()) if count},
    )
