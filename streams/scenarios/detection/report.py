"""All parts of the benchmark in one run, and its result as JSON.

``plan`` says how large each part is: `QUICK` shows that everything runs and gives rough
figures; `FULL` is what claims are made from. The shipped reference is frozen and is not
built anew for each fold: ``reference`` in the result says which one it is and what it
was built on. In the window test whole benign corpora are left out of reference and
thresholds in turn, and no campaign family is ever used to set anything.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from streams.models.reference import load_reference
from streams.scenarios.detection.ablation import (
    AblationFigures,
    AblationPlan,
    ablation,
)
from streams.scenarios.detection.account_peers import PeerFigures, account_peers
from streams.scenarios.detection.adaptive import AdaptiveFigures, adaptive
from streams.scenarios.detection.budget_trial import (
    BudgetFigures,
    BudgetPlan,
    budget_trial,
)
from streams.scenarios.detection.campaign_figures import (
    CampaignFigures,
    RunFigures,
    figures,
)
from streams.scenarios.detection.hard_negatives_alone import (
    HardNegative,
    hard_negatives_alone,
    of_cohort,
)
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.populations import mixed
from streams.scenarios.detection.prompt_vectors import prompt_pool
from streams.scenarios.detection.run import Progress, run, simulated
from streams.scenarios.detection.source import Source
from streams.scenarios.detection.windows import (
    WindowFigures,
    WindowPlan,
    window_test,
)

__all__ = ["FULL", "PARTS", "QUICK", "Plan", "Report", "benchmark"]

PARTS: Final = (
    *("population", "negatives", "adaptive", "windows", "budget", "ablation"),
)
_MILLION: Final = 1e6
_BUILT_ON: Final = (
    "simulated benign populations and campaigns of the product's own generators, every "
    "other one with prompts of the development corpora; not built anew without the "
    "corpora and shapes that are tested here"
)


class Plan(NamedTuple):
    """Sizes of all parts; hours are simulated ones."""

    accounts: int
    hours: float
    peer_accounts: int
    hard_scale: float
    hard_ordinary: int
    hard_hours: float
    adaptive_ordinary: int
    adaptive_hours: float
    prompts: int
    windows: WindowPlan
    populations: int
    benign_ordinary: int
    benign_hours: float = 24.0
    benign_prompts: int = 1000
    ablation: AblationPlan = AblationPlan()


QUICK: Final = Plan(
    accounts=3000,
    hours=24.0,
    peer_accounts=600,
    hard_scale=0.3,
    hard_ordinary=80,
    hard_hours=24.0,
    adaptive_ordinary=80,
    adaptive_hours=24.0,
    prompts=200,
    windows=WindowPlan(
        shares=(0.05, 0.25, 1.0),
        windows=(100, 500),
        calibration=350,
        benign=120,
        attacks=4,
        reference=1500,
        folds=2,
        fitting=150,
        history=800,
    ),
    populations=20,
    benign_ordinary=60,
    benign_prompts=400,
    ablation=AblationPlan(campaigns=4, benign=4, one_in=50),
)
FULL: Final = Plan(
    accounts=200_000,
    hours=72.0,
    peer_accounts=20_000,
    hard_scale=1.0,
    hard_ordinary=500,
    hard_hours=48.0,
    adaptive_ordinary=500,
    adaptive_hours=48.0,
    prompts=400,
    windows=WindowPlan(),
    populations=1000,
    benign_ordinary=100,
)


class Report(msgspec.Struct, frozen=True):
    """The results of the parts that were run; the others are None or empty."""

    seed: int
    plan: Plan
    population: RunFigures | None = None
    peers: tuple[PeerFigures, ...] = ()
    negatives: tuple[HardNegative, ...] = ()
    adaptive: tuple[AdaptiveFigures, ...] = ()
    windows: tuple[WindowFigures, ...] = ()
    budget: BudgetFigures | None = None
    ablation: tuple[AblationFigures, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give plain figures, each with the bounds of its 95 % interval beside it."""
        reference = load_reference()
        population = self.population
        found: dict[str, Any] = {
            "seed": self.seed,
            "plan": self.plan._asdict()
            | {
                "windows": self.plan.windows._asdict(),
                "ablation": self.plan.ablation._asdict(),
            },
            "reference": {
                "version": reference.version,
                "digest": reference.digest,
                "built_on": _BUILT_ON,
            },
            "campaigns": [],
            "wrong_actions_per_million_account_days": {},
            "hard_negatives": [self._negative(each) for each in self.negatives],
            "adaptive": [_flat(each) for each in self.adaptive],
            "window": [_flat(each) for each in self.windows],
            "peers": [
                {
                    "name": peer.name,
                    **_bounds("wrong", peer.wrong),
                    "campaigns": {
                        name: rate.rate for name, rate in peer.campaigns.items()
                    },
                }
                for peer in self.peers
            ],
            "budget": _flat(self.budget) if self.budget else None,
            "ablation": [_flat(each) for each in self.ablation],
        }
        if population is not None:
            found |= _population(population)
        return found

    def _negative(self, alone: HardNegative) -> dict[str, Any]:
        """Give a kind alone, and (``among_*``) among the campaigns of the population.

        Both count: ``accounts`` and ``actions_above_label`` are of the two together.
        """
        among = None
        if self.population is not None:
            for cohort in self.population.cohorts:
                if cohort.cohort == alone.name:
                    among = of_cohort(cohort, 0)
        accounts = alone.accounts + (among.accounts if among else 0)
        above = alone.actions_above_label + (among.actions_above_label if among else 0)
        return {
            "name": alone.name,
            "accounts": accounts,
            "actions_above_label": above,
            **_bounds("rate", Rate.of(above, accounts)),
            "alone": _flat(alone),
            "among_campaigns": _flat(among) if among else None,
        }


def benchmark(
    source: Source,
    plan: Plan,
    *,
    seed: int,
    parts: tuple[str, ...] = PARTS,
    corpus: Path | None = None,
    jobs: int = 1,
    clock: Callable[[], float] = lambda: 0.0,
    progress: Progress = lambda _step, _done, _total: None,
) -> Report:
    """Run the parts, one after the other.

    What consists of many runs is spread over ``jobs`` processes, which read the
    ``corpus`` folder again (None: made-up prompts).
    """
    report = Report(seed, plan)
    if "population" in parts:
        made = simulated(mixed(plan.accounts, hours=plan.hours, seed=seed), source)
        done = run(made, clock=clock, progress=progress)
        calibrating = mixed(
            plan.peer_accounts, hours=plan.hours, seed=seed + 1, hostile=False
        )
        progress("peers", 0, 1)
        peers = account_peers(made, simulated(calibrating, source), seed=seed)
        report = _with(report, population=figures(done), peers=peers)
        del made, done
    if "negatives" in parts:
        negatives = hard_negatives_alone(
            source,
            scale=plan.hard_scale,
            ordinary=plan.hard_ordinary,
            hours=plan.hard_hours,
            seed=seed,
            progress=progress,
        )
        report = _with(report, negatives=negatives)
    if "adaptive" in parts:
        attackers = adaptive(
            source,
            ordinary=plan.adaptive_ordinary,
            hours=plan.adaptive_hours,
            seed=seed,
            progress=progress,
        )
        report = _with(report, adaptive=attackers)
    if "windows" in parts:
        pool = prompt_pool(
            source.corpora,
            most=plan.prompts,
            most_benign=plan.benign_prompts,
            seed=seed,
        )
        tested = window_test(pool, plan.windows, seed=seed, progress=progress)
        report = _with(report, windows=tested)
    if "budget" in parts:
        budget = budget_trial(
            source,
            BudgetPlan(
                populations=plan.populations,
                ordinary=plan.benign_ordinary,
                hours=plan.benign_hours,
                seed=seed,
            ),
            corpus=corpus,
            jobs=jobs,
            progress=progress,
        )
        report = _with(report, budget=budget)
    if "ablation" in parts:
        earned = ablation(
            plan.ablation, seed=seed, corpus=corpus, jobs=jobs, progress=progress
        )
        report = _with(report, ablation=earned)
    return report


def _with(report: Report, **parts: Any) -> Report:
    return msgspec.structs.replace(report, **parts)


def _population(result: RunFigures) -> dict[str, Any]:
    days = max(result.account_days, 1)
    return {
        "population": {
            "accounts": result.accounts,
            "events": result.events,
            "ordinary_account_days": result.account_days,
            "events_per_second": round(result.events_per_second, 1),
            "false_campaigns": result.false_campaigns,
        },
        "campaigns": [_campaign(each) for each in result.campaigns],
        "wrong_actions_per_million_account_days": {
            rung: rate.hits / days * _MILLION for rung, rate in result.wrong.items()
        },
        "wrong_actions_intervals": {
            rung: [rate.low * _MILLION, rate.high * _MILLION]
            for rung, rate in result.wrong.items()
        },
        "cohorts": [
            msgspec.to_builtins(each) | {"per_million_account_days": each.per_million()}
            for each in result.cohorts
        ],
    }


def _campaign(each: CampaignFigures) -> dict[str, Any]:
    return _flat(each)


def _flat(figures_: Any) -> dict[str, Any]:
    """Give a struct's fields, rates as figures with bounds beside them."""
    flat: dict[str, Any] = {}
    for name in figures_.__struct_fields__:
        value = getattr(figures_, name)
        if isinstance(value, Rate):
            flat |= _bounds(name, value)
        else:
            flat[name] = msgspec.to_builtins(value)
    return flat


def _bounds(name: str, rate: Rate) -> dict[str, Any]:
    return {
        name: rate.rate,
        f"{name}_interval": [rate.low, rate.high],
        f"{name}_of": rate.trials,
    }
