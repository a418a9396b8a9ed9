"""All parts of the detection benchmark in one run, each as large as a plan says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from streams.scenarios.detection.ablation import (
    ablation,
)
from streams.scenarios.detection.account_peers import account_peers
from streams.scenarios.detection.adaptive import adaptive
from streams.scenarios.detection.budget_trial import (
    BudgetPlan,
    budget_trial,
)
from streams.scenarios.detection.campaign_figures import (
    figures,
)
from streams.scenarios.detection.hard_negatives_alone import (
    hard_negatives_alone,
)
from streams.scenarios.detection.plan import PARTS, Plan
from streams.scenarios.detection.populations import mixed
from streams.scenarios.detection.prompt_vectors import prompt_pool
from streams.scenarios.detection.report import Report
from streams.scenarios.detection.run import Progress, run, simulated
from streams.scenarios.detection.source import Source
from streams.scenarios.detection.windows import (
    window_test,
)

__all__ = ["benchmark"]


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
    setting = _Setting(source, plan, seed, corpus, jobs, clock, progress)
    report = Report(seed, plan)
    for part in PARTS:
        if part in parts:
            report = replace(report, **_PARTS[part](setting))
    return report


class _Setting(NamedTuple):
    """What the parts have in common; each gives fields of the report."""

    source: Source
    plan: Plan
    seed: int
    corpus: Path | None
    jobs: int
    clock: Callable[[], float]
    progress: Progress


def _population(at: _Setting) -> dict[str, Any]:
    plan, seed = at.plan, at.seed
    made = simulated(mixed(plan.accounts, hours=plan.hours, seed=seed), at.source)
    done = run(made, clock=at.clock, progress=at.progress)
    calibrating = mixed(
        plan.peer_accounts, hours=plan.hours, seed=seed + 1, hostile=False
    )
    at.progress("peers", 0, 1)
    peers = account_peers(made, simulated(calibrating, at.source), seed=seed)
    return {"population": figures(done), "peers": peers}


def _negatives(at: _Setting) -> dict[str, Any]:
    negatives = hard_negatives_alone(
        at.source,
        scale=at.plan.hard_scale,
        ordinary=at.plan.hard_ordinary,
        hours=at.plan.hard_hours,
        seed=at.seed,
        progress=at.progress,
    )
    return {"negatives": negatives}


def _adaptive(at: _Setting) -> dict[str, Any]:
    attackers = adaptive(
        at.source,
        ordinary=at.plan.adaptive_ordinary,
        hours=at.plan.adaptive_hours,
        seed=at.seed,
        progress=at.progress,
    )
    return {"adaptive": attackers}


def _windows(at: _Setting) -> dict[str, Any]:
    pool = prompt_pool(
        at.source.corpora,
        most=at.plan.prompts,
        most_benign=at.plan.benign_prompts,
        seed=at.seed,
    )
    tested = window_test(pool, at.plan.windows, seed=at.seed, progress=at.progress)
    return {"windows": tested}


def _budget(at: _Setting) -> dict[str, Any]:
    plan = BudgetPlan(
        populations=at.plan.populations,
        ordinary=at.plan.benign_ordinary,
        hours=at.plan.benign_hours,
        seed=at.seed,
    )
    budget = budget_trial(
        at.source, plan, corpus=at.corpus, jobs=at.jobs, progress=at.progress
    )
    return {"budget": budget}


def _ablation(at: _Setting) -> dict[str, Any]:
    earned = ablation(
        at.plan.ablation,
        seed=at.seed,
        corpus=at.corpus,
        jobs=at.jobs,
        progress=at.progress,
    )
    return {"ablation": earned}


_PARTS: Final[Mapping[str, Callable[[_Setting], dict[str, Any]]]] = {
    "population": _population,
    "negatives": _negatives,
    "adaptive": _adaptive,
    "windows": _windows,
    "budget": _budget,
    "ablation": _ablation,
}
