"""What people's labels teach: a correction to the frozen prior, learned by River.

The prior says how closely an account is tied to a campaign. Labels say where that
misleads: which accounts that look tied are ordinary. So a River logistic regression
learns the *difference* to the prior's log-odds: the prior's score of each example is
given as its intercept, and L2 draws the difference to 0, which is to the prior.

What is learned acts on evidence in one direction only: an account's e-value e becomes
e * w. The factor w is 1 for a score like those of accounts that people called
distillation, the least one that is allowed for a score like those of accounts they
called benign, and in between log-linear in the score. Where the two kinds do not lie
apart, w is 1. That stays an e-value whatever the labels are: a factor of at most 1
keeps the expectation under the null at most 1, even when it depends on the data (it is
a smaller non-negative variable: Vovk and Wang 2021, section 2). Labels can make the
detector more careful, and they can take that back; they cannot make evidence.

All is a function of the set of examples alone. Neither the order in which labels came
nor what was withdrawn in between leaves a trace.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

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
"""Pull towards the prior: some ten examples that agree move the log-odds by 3 to 6."""

_BENIGN_QUANTILE: Final = 0.5
_HARMFUL_QUANTILE: Final = 0.1
"""Of the scores of either kind, where the factor reaches its least, and where it is 1:
a tenth of what people called distillation may lose a little of its evidence."""
_TYPICAL_QUANTILE: Final = 0.5
"""Of the scores of what people called distillation: in the middle between there and the
same of the other kind is the boundary, on whose side a label has to lie."""

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


class LabelModel(msgspec.Struct, frozen=True):
    """Weights of the correction, and where the two kinds of examples score.

    ``distillation`` is a score that nine in ten examples of that kind reach, ``benign``
    one that half of that kind do not exceed, and ``boundary`` is in the middle between
    the medians of both kinds.

    >>> model = LabelModel({"old": -4.0}, benign=-2.0, distillation=1.0)
    >>> [model.factor({"old": x}, 1.0, least=1 / 64) for x in (0.0, 0.375, 0.75, 1.0)]
    [1.0, 0.125, 0.015625, 0.015625]
    >>> LabelModel({}).factor({"old": 1.0}, 1.0, least=1 / 64)
    1.0
    """

    weights: dict[str, float]
    benign: float = 0.0
    distillation: float = 0.0
    boundary: float = 0.0

    @property
    def separates(self) -> bool:
        """Whether the two kinds of examples lie apart; else it has no say."""
        return self.benign < self.distillation

    def tells_distillation(self, features: Mapping[str, float], prior: float) -> bool:
        """Whether an account is closer to one kind of examples than to the other."""
        return self.score(features, prior) > self.boundary

    def score(self, features: Mapping[str, float], prior: float) -> float:
        """Learned log-odds that an account is distillation."""
        terms = (self.weights.get(name, 0.0) * x for name, x in features.items())
        return float(math.fsum((prior, *terms)))

    def factor(
        self, features: Mapping[str, float], prior: float, least: float
    ) -> float:
        """Factor of an account's e-value: at most 1, and not below ``least``."""
        if not self.separates:
            return 1.0
        score = self.score(features, prior)
        share = (self.distillation - score) / (self.distillation - self.benign)
        return round(math.pow(least, max(0.0, min(share, 1.0))), 9)


def fit(examples: Sequence[Example]) -> LabelModel:
    """Learn from examples; with one kind of label only there is nothing to tell apart.

    >>> ordinary = Example("1", "ana", {"old": 1.0}, prior=1.0, distillation=False)
    >>> harvest = Example("2", "ana", {"young": 1.0}, prior=1.0, distillation=True)
    >>> fit([ordinary]).weights
    {}
    >>> model = fit([ordinary, harvest])
    >>> [model.factor({name: 1.0}, 1.0, least=0.125) for name in ("old", "young")]
    [0.125, 1.0]
    """
    weights = _balanced(examples)
    if not weights:
        return LabelModel({})
    # Loading it takes most of a second; a worker that starts has nothing to learn.
    from river import linear_model, optim  # noqa: PLC0415 - see above

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
    model = LabelModel(dict(sorted(river.weights.items())))
    benign = _quantile(model, examples, _BENIGN_QUANTILE, distillation=False)
    typical = _quantile(model, examples, _TYPICAL_QUANTILE, distillation=True)
    return msgspec.structs.replace(
        model,
        benign=benign,
        distillation=_quantile(model, examples, _HARMFUL_QUANTILE, distillation=True),
        boundary=(benign + typical) / 2,
    )


def _quantile(
    model: LabelModel, examples: Sequence[Example], share: float, *, distillation: bool
) -> float:
    """Give the score below which lies a share of the weight of one kind of examples."""
    scores = sorted(
        (model.score(each.features, each.prior), each.weight)
        for each in examples
        if each.distillation == distillation
    )
    wanted = share * math.fsum(weight for _, weight in scores)
    below = 0.0
    for score, weight in scores:
        below += weight
        if below >= wanted:
            return score
    return scores[-1][0]


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
