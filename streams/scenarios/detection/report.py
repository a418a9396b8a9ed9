"""What the parts of the detection benchmark found, and how it is told as JSON.

The shipped reference is frozen and is not built anew for each fold: ``reference`` says
which one it is and what it was built on. In the window test whole benign corpora are
left out of reference and thresholds in turn, and no campaign family is ever used to set
anything.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.models.reference import load_reference
from streams.scenarios.detection.ablation import (
    AblationFigures,
)
from streams.scenarios.detection.account_peers import PeerFigures
from streams.scenarios.detection.adaptive import AdaptiveFigures
from streams.scenarios.detection.budget_trial import (
    BudgetFigures,
)
from streams.scenarios.detection.campaign_figures import (
    RunFigures,
)
from streams.scenarios.detection.hard_negatives_alone import (
    HardNegative,
    of_cohort,
)
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.plan import Plan
from streams.scenarios.detection.windows import (
    WindowFigures,
)

__all__ = ["Report"]

_MILLION: Final = 1e6
_BUILT_ON: Final = (
    "simulated benign populations and campaigns of the product's own generators, every "
    "other one with prompts of the development corpora; not built anew without the "
    "corpora and shapes that are tested here"
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
        "campaigns": [_flat(each) for each in result.campaigns],
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
