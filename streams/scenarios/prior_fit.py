"""Priors of the likeness of groups and accounts: a logistic regression, fitted whole.

What is measured may only add to suspicion: no weight is negative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from streams.models.reference import COMPARING, Prior, stratum_of
from streams.scenarios.reference_harvest import Look, Member

__all__ = ["Example", "fit_prior", "group_prior", "member_prior"]

_LIKENESS_WEIGHT: Final = 1.0
"""Weight of the content's likeness in the joint score, capped by hand: on campaigns
and bulk jobs that were never seen, content tells next to nothing."""
_UNFITTED: Final = COMPARING | {"likeness"}
"""Content, which would learn the corpora, and what tells the stratum."""
_GROUP_RIDGE: Final = 2e-3
_MEMBER_RIDGE: Final = 1e-4
"""Penalty on squared weights, so that none runs away where classes are separate. Groups
are few, and their weights stand beside that of content, which is given; accounts are
many."""

Features = dict[str, float]
Floats = NDArray[np.float64]


class Example(NamedTuple):
    """What was measured of a unit once; a unit may be measured several times."""

    unit: tuple[int, str]
    features: Features
    campaign: bool


def fit_prior(examples: Sequence[Example], ridge: float) -> Prior:
    """Fit a logistic regression; what is measured may only add to suspicion.

    Negative weights would be easy to earn: a campaign could clear itself. Both classes
    weigh the same, and within a class each unit (campaign, group, account), however
    many looks it has.
    """
    names = sorted({name for each in examples for name in each.features})
    rows = [[each.features.get(name, 0.0) for name in names] for each in examples]
    x = np.column_stack([np.array(rows), np.ones(len(rows))])
    sign = np.array([1.0 if each.campaign else -1.0 for each in examples])
    times = Counter(each.unit for each in examples)
    units = Counter(
        each.campaign for each in {one.unit: one for one in examples}.values()
    )
    share = np.array(
        [1 / (times[each.unit] * units[each.campaign]) for each in examples]
    )

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = sign * (x @ weights)
        slope = -share * sign / (1 + np.exp(margin))
        penalty = np.append(ridge * weights[:-1], 0.0)
        value = share @ np.logaddexp(0, -margin) + penalty @ weights / 2
        return float(value), x.T @ slope + penalty

    bounds = [(0.0, None)] * len(names) + [(None, None)]
    start = np.zeros(len(names) + 1)
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = {name: round(float(w), 4) for name, w in zip(names, found, strict=False)}
    return Prior(weights, round(float(found[-1]), 4))


def member_prior(members: Iterable[Member]) -> Prior:
    """Fit the prior by which accounts of a campaign's group are scored."""
    return fit_prior(
        [
            Example((each.population, each.account), each.features, each.campaign)
            for each in members
        ],
        _MEMBER_RIDGE,
    )


def group_prior(
    looks: Iterable[Look], stratum: str, without: Collection[str] = ()
) -> Prior:
    """Fit the prior of a stratum, some features left out; content's weight is fixed."""
    unfitted = _UNFITTED.union(without)
    prior = fit_prior(
        [
            Example(
                (look.population, look.name),
                {n: x for n, x in look.features.items() if n not in unfitted},
                look.campaign,
            )
            for look in looks
            if stratum_of(look.features) == stratum
        ],
        _GROUP_RIDGE,
    )
    content = {} if "likeness" in without else {"likeness": _LIKENESS_WEIGHT}
    return Prior(dict(sorted((prior.weights | content).items())), prior.intercept)
