"""The stated budget, tested: benign populations, and what was taken for a campaign.

The budget bounds the expected number of honest groups that are called a campaign in a
day. Each population has a day's budget of its own. Tests that were never taken prove
nothing, so the result also says how many there were, how much of the budget they
spent (the sum of their levels, a sharper bound than the budget itself), and how near
the worst one came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec

from streams.contracts.time_units import HOURS_PER_DAY
from streams.policy.budget import DAILY_BUDGET
from streams.scenarios.detection.benign_populations import benign
from streams.scenarios.detection.campaign_figures import figures
from streams.scenarios.detection.intervals import Rate, per_unit
from streams.scenarios.detection.run import run, simulated
from streams.scenarios.detection.source import Source

__all__ = ["BudgetFigures", "BudgetPlan", "Trial", "budget_trial", "trial"]

_BATCH_MINUTES: Final = 480
_CHUNK: Final = 4
"""Populations that a process is given at a time."""
_MILLION: Final = 1_000_000


class BudgetPlan(msgspec.Struct, frozen=True):
    """So many populations of about so many ordinary accounts, and honest groups."""

    populations: int
    ordinary: int
    hours: float
    seed: int


class Trial(msgspec.Struct, frozen=True):
    """What happened in one population; ``wrong_by_kind`` were above ``label``."""

    campaigns: int
    tests: int
    spent: float
    nearest: float
    accounts: int
    account_days: int
    events: int
    wrong_by_kind: dict[str, int]


class BudgetFigures(msgspec.Struct, frozen=True):
    """Wrong campaigns per simulated day: the bound ``stated``, the rate ``observed``.

    ``low`` and ``high`` hold the true rate with 95 % confidence (Garwood). ``hit`` is
    of the populations, which are independent of each other, and ``most`` the campaigns
    of the worst; ``enforced`` is of those in which anybody was actioned above
    ``label``. ``tests`` were taken, ``spent`` is the sum of their levels per day:
    what the budget promises for them. ``nearest`` is the largest e-value as a share of
    what its test would have needed. ``wrong_accounts`` were actioned above ``label``
    (the wrong enforcements), ``wrong_per_million`` account-days; ``wrong_by_kind``
    counts them by their cohort.
    """

    stated: float
    observed: float
    low: float
    high: float
    populations: int
    days: float
    wrong_campaigns: int
    hit: Rate
    most: int
    enforced: Rate
    tests: int
    spent: float
    nearest: float
    wrong_accounts: int
    wrong_enforcement: Rate
    wrong_per_million: float
    accounts: int
    account_days: int
    events: int
    wrong_by_kind: dict[str, int]


def trial(source: Source, plan: BudgetPlan, number: int) -> Trial:
    """Simulate population ``number`` of the plan, run it, and count."""
    scenario = benign(plan.seed + number, ordinary=plan.ordinary, hours=plan.hours)
    done = run(
        simulated(scenario, source), responds=False, batch_minutes=_BATCH_MINUTES
    )
    found = {
        alert.campaign_id
        for alert in done.outcome.alerts
        if alert.kind == "campaign_found"
    }
    result = figures(done)
    kinds = {each.cohort: each.above_label() for each in result.cohorts}
    return Trial(
        campaigns=len(found),
        tests=len(done.tests),
        spent=sum(test.level for test in done.tests),
        nearest=max((test.level * test.e_value for test in done.tests), default=0.0),
        accounts=result.accounts,
        account_days=result.account_days,
        events=result.events,
        wrong_by_kind={kind: count for kind, count in kinds.items() if count},
    )


def budget_trial(
    source: Source,
    plan: BudgetPlan,
    *,
    corpus: Path | None = None,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> BudgetFigures:
    """Run the plan's populations, one after the other or in ``jobs`` processes.

    Processes read the ``corpus`` folder again, each for itself (None: made-up prompts).
    The figures do not depend on ``jobs``.
    """
    done = []
    for each in _trials(source, plan, corpus, jobs):
        done.append(each)
        progress("benign populations", len(done), plan.populations)
    return _figures(done, plan.populations * plan.hours / HOURS_PER_DAY)


def _trials(
    source: Source, plan: BudgetPlan, corpus: Path | None, jobs: int
) -> Iterator[Trial]:
    numbers = range(plan.populations)
    if jobs == 1:
        yield from map(partial(trial, source, plan), numbers)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        work = partial(_trial_elsewhere, corpus, plan)
        yield from pool.map(work, numbers, chunksize=_CHUNK)


def _trial_elsewhere(corpus: Path | None, plan: BudgetPlan, number: int) -> Trial:
    return trial(_source(corpus, plan.seed), plan, number)


@cache
def _source(corpus: Path | None, seed: int) -> Source:
    """Read the prompts once in each process."""
    return Source.generated(seed) if corpus is None else Source.read(corpus, seed)


def _figures(trials: list[Trial], days: float) -> BudgetFigures:
    wrong = sum(each.campaigns for each in trials)
    low, high = per_unit(wrong, days)
    kinds: Counter[str] = Counter()
    for each in trials:
        kinds.update(each.wrong_by_kind)
    account_days = sum(each.account_days for each in trials)
    return BudgetFigures(
        stated=DAILY_BUDGET,
        observed=wrong / days,
        low=low,
        high=high,
        populations=len(trials),
        days=days,
        wrong_campaigns=wrong,
        hit=Rate.of(sum(each.campaigns > 0 for each in trials), len(trials)),
        most=max(each.campaigns for each in trials),
        enforced=Rate.of(sum(bool(t.wrong_by_kind) for t in trials), len(trials)),
        tests=sum(each.tests for each in trials),
        spent=sum(each.spent for each in trials) / days,
        nearest=max(each.nearest for each in trials),
        wrong_accounts=kinds.total(),
        wrong_enforcement=Rate.of(kinds.total(), account_days),
        wrong_per_million=_MILLION * kinds.total() / max(account_days, 1),
        accounts=sum(each.accounts for each in trials),
        account_days=account_days,
        events=sum(each.events for each in trials),
        wrong_by_kind=dict(sorted(kinds.items())),
    )
