"""What people's labels teach: a correction to the frozen prior, learned by River.

The prior says how closely an account is tied to a campaign. Labels say where that
misleads: which accounts that look tied are ordinary. So a River logistic regression
learns the *difference* to the prior's log-odds: the prior's score of each example is
given as its intercept, and L2 draws the difference to 0, which is to the prior.

The difference acts on evidence in one direction only. With c the change of the log-odds
that an account is distillation, its e-value e becomes e * min(1, exp(c)). That stays an
e-value whatever the labels are: a factor of at most 1 keeps the expectation under the
null at most 1, even when the factor depends on the data (Vovk and Wang 2021, section
2). Labels can make the detector more careful, and they can take that back; they cannot
make evidence.

Weights are a function of the set of examples alone. Neither the order in which labels
came nor what was withdrawn in between leaves a trace.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec
from river import linear_model, optim

__all__ = [
    "CAUTION",
    "MAX_EXAMPLES",
    "Example",
    "LabelModel",
    "cautious",
    "fit",
    "on_grid",
]

CAUTION: Final = "label.caution"
"""Names, in decisions, the factor by which labels lowered an account's e-value."""

MAX_EXAMPLES: Final = 4096
"""Examples that are kept: a fit takes 10 to 30 µs for each."""

_STEPS: Final = 1500
"""Few examples are gone through several times, until there were so many steps."""
_RATE: Final = 0.5
_RATE_POWER: Final = 0.25
"""The learning rate falls from a half with the fourth root of the steps."""
_L2: Final = 0.005
"""Pull towards the prior: examples that agree move the log-odds by about 5 to 9."""

_FEATURE_GRID: Final = 64.0
_WEIGHT_GRID: Final = 2.0**20
"""Features are multiples of 1/64, and weights of 2^-20: then products and their sums
are exact in a double. River adds them up in the order of a randomised hash map, which
would give other last digits in another process."""

_MAX_BALANCE: Final = 4.0
"""The rarer kind of label counts at most so many times as much as its number."""


class Example(msgspec.Struct, frozen=True):
    """An account and what somebody said of it; ``prior`` is the prior's log-odds."""

    account: str
    author: str
    features: dict[str, float]
    prior: float
    distillation: bool
    weight: float = 1.0


def on_grid(value: float) -> float:
    """Round a feature or a prior's score so that sums over them are exact.

    >>> on_grid(0.3)
    0.296875
    """
    return round(value * _FEATURE_GRID) / _FEATURE_GRID


def cautious(e_value: float, factor: float) -> float:
    """Lower an e-value by the factor that labels brought about.

    >>> cautious(5461.0, 0.125), cautious(5461.333333, 1.0)
    (682.625, 5461.333333)
    """
    return e_value if factor == 1 else round(e_value * factor, 6)


class LabelModel:
    """Weights of the correction; none at all without labels.

    >>> LabelModel({}).factor({"young": 1.0})
    1.0
    >>> LabelModel({"young": -2.0}).factor({"young": 0.5}, least=0.125)
    0.367879
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.weights = dict(weights)

    def correction(self, features: Mapping[str, float]) -> float:
        """Change of the log-odds that an account is distillation."""
        return math.fsum(
            self.weights.get(name, 0.0) * value for name, value in features.items()
        )

    def factor(self, features: Mapping[str, float], least: float = 0.0) -> float:
        """Factor of an account's e-value: at most 1, and not below ``least``."""
        if not self.weights:
            return 1.0
        odds = math.exp(min(self.correction(features), 0.0))
        return max(round(odds, 6), least)


def fit(examples: Sequence[Example]) -> LabelModel:
    """Learn from examples; with one kind of label only there is nothing to tell apart.

    >>> ordinary = Example("1", "ana", {"old": 1.0}, prior=1.0, distillation=False)
    >>> harvest = Example("2", "ana", {"young": 1.0}, prior=1.0, distillation=True)
    >>> fit([ordinary]).weights
    {}
    >>> model = fit([ordinary, harvest])
    >>> model.factor({"old": 1.0}) < 0.05, model.factor({"young": 1.0})
    (True, 1.0)
    """
    weights = _balanced(examples)
    if not weights:
        return LabelModel({})
    rate = optim.schedulers.InverseScaling(_RATE, _RATE_POWER)
    river = linear_model.LogisticRegression(
        optimizer=optim.SGD(rate), l2=_L2, intercept_lr=0.0
    )
    ordered = sorted(zip(examples, weights, strict=True), key=_shuffled)
    for _ in range(-(-_STEPS // len(ordered))):
        for example, weight in ordered:
            river.intercept = example.prior
            river.learn_one(example.features, example.distillation, w=weight)
            # River has no public way to set weights; see Likeness.
            river._weights.update(_rounded(river.weights))  # noqa: SLF001 - see above
    return LabelModel(dict(sorted(river.weights.items())))


def _balanced(examples: Sequence[Example]) -> list[float]:
    """Weigh both kinds alike, with a mean of 1; empty when there is one kind only."""
    totals = [
        math.fsum(each.weight for each in examples if each.distillation == kind)
        for kind in (False, True)
    ]
    if not all(totals):
        return []
    scales = [min(max(totals) / total, _MAX_BALANCE) for total in totals]
    mean = math.fsum(s * t for s, t in zip(scales, totals, strict=True)) / len(examples)
    return [each.weight * scales[each.distillation] / mean for each in examples]


def _rounded(weights: Mapping[str, float]) -> dict[str, float]:
    return {
        name: round(weight * _WEIGHT_GRID) / _WEIGHT_GRID
        for name, weight in weights.items()
    }


def _shuffled(weighted: tuple[Example, float]) -> tuple[bytes, str]:
    """Mix the kinds of examples: runs of one kind would pull the weights about."""
    example, _ = weighted
    mixed = blake2b(example.account.encode(), digest_size=8).digest()
    return mixed, example.author
