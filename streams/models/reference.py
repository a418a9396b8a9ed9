"""The frozen reference: statistics of benign groups, and the prior's weights.

`reference.json` is made by `distillwatch reference build` from simulated benign
populations and never changes while the product runs, so that nobody can poison it
slowly. It carries a version and a digest of its content; a file that was altered is
refused.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec

from streams.errors import StateError
from streams.models.evidence import (
    RankedScores,
    aim,
    calibrate,
    conformal_p,
    merge,
    resolution_limit,
    staged,
)
from streams.models.likeness import Likeness

__all__ = [
    "COMPARING",
    "DETECTORS",
    "DETECTOR_OF",
    "GROUP_LOOKS",
    "MEMBER_E_VALUES",
    "MOST_OF_A_GROUP",
    "ONE_SITE",
    "STRATA",
    "WEIGHTS",
    "Assessment",
    "Prior",
    "Reference",
    "detector_scores",
    "digest",
    "is_one_network",
    "load_reference",
    "stratum_of",
]

GROUP_LOOKS: Final = tuple(25 * 2**k for k in range(12))
"""Exchanges of a group at which it is tested: 25, 50, 100, … 51,200."""

DETECTORS: Final[Mapping[str, tuple[str, ...]]] = {
    "infrastructure": ("payment", "network", "tls", "client", "sharing_crowd"),
    "timing": (
        *("even", "lockstep", "burst", "batches", "batch_days"),
        *("young", "young_crowd"),
    ),
    "template": ("complementary", "co_use", "templated"),
}
"""Detectors that add up features; "joint" is the likeness model over all of them."""

DETECTOR_OF: Final = {name: key for key, names in DETECTORS.items() for name in names}
"""The detector of each feature that one has."""

WEIGHTS: Final[Mapping[str, float]] = {
    "joint": 0.85,
    "infrastructure": 0.05,
    "timing": 0.05,
    "template": 0.05,
}
"""Weights of the merge, fixed in advance. The joint model sees what the others see,
so most of the weight is its. One aspect alone reaches at most a twentieth of the
resolution limit, which is below the e-value that the first test of a day needs."""

MEMBER_E_VALUES: Final = (20.0, 100.0, 300.0, 1000.0)
"""E-values that an account's own evidence can have: those that the ladder asks for."""

_AIMED: Final = "joint"
"""Its evidence is aimed at the level of each test: with its weight it decides."""


STRATA: Final = ("one_site", "sharing", "templates", "infrastructure")
"""Kinds of groups, each of which is compared with its like only: accounts that have one
payment or one network, others that share payments or networks, and those that share no
more than what they say; and, without any templates in common, those that began with
several payments or networks. The p-value is valid within each (Mondrian conformal
prediction, Vovk et al. 2005, section 4.5)."""

ONE_SITE: Final = 0.8
"""Share of a group's accounts with one payment or one network, from which one customer
or one school explains it, whatever organization ids are missing."""

MOST_OF_A_GROUP: Final = 0.6
"""Share of a group's accounts on one network, from which it may be one customer or one
school, and others who use its wording."""

SHARING: Final = 0.02
"""Share of a group's accounts, discounted by other users, that have payments or
networks in common."""


_MOST_ALONE: Final = 4096
"""Quantiles of single features that are kept."""

COMPARING: Final = frozenset({"payer", "place"})
"""Features that only tell with which groups a group is compared: none has a weight."""


def stratum_of(features: Mapping[str, float]) -> str:
    """Tell the stratum of a group.

    >>> stratum_of({"payer": 0.9, "payment": 1.0}), stratum_of({"network": 0.5})
    ('one_site', 'sharing')
    """
    if features.get("mixing", 0.0) > 0:
        return "infrastructure"
    if max(features.get("payer", 0.0), features.get("place", 0.0)) >= ONE_SITE:
        return "one_site"
    sharing = max(features.get("payment", 0.0), features.get("network", 0.0))
    return "sharing" if sharing >= SHARING else "templates"


def is_one_network(features: Mapping[str, float]) -> bool:
    """Tell whether most of a group were last seen on the same network.

    A company that sends no organization ids looks so, and a class, also where others
    who use its wording are in its group. A campaign may well pay with one token, but
    hardly works from one network.

    >>> is_one_network({"payer": 1.0, "place": 0.2}), is_one_network({"place": 0.7})
    (False, True)
    """
    return features.get("place", 0.0) >= MOST_OF_A_GROUP


class Prior(msgspec.Struct, frozen=True):
    """Weights of a likeness model."""

    weights: dict[str, float]
    intercept: float

    def model(self) -> Likeness:
        """Make a River model that starts from this prior."""
        return Likeness(self.weights, self.intercept)


class Assessment(msgspec.Struct, frozen=True):
    """Evidence about one unit: merged e-value and what it is made of."""

    e_value: float
    quantiles: dict[str, float]
    e_values: dict[str, float]


class Reference(msgspec.Struct, frozen=True):
    """Benign statistics; ``groups[look][stratum][detector]`` are scores of groups.

    ``group`` has the prior of each stratum. ``features[look][feature]`` are the groups'
    features, for explanation only. ``bystanders`` are scores of ordinary accounts in a
    campaign's group: they used a template of it, each by itself.
    """

    version: str
    account: Prior
    group: dict[str, Prior]
    member: Prior
    groups: list[dict[str, dict[str, RankedScores]]]
    features: list[dict[str, RankedScores]]
    bystanders: RankedScores
    digest: str = ""

    def assess_group(
        self, features: Mapping[str, float], look: int, level: float
    ) -> Assessment:
        """Compare a group with the reference groups of its stratum at the same look.

        The joint model's evidence is aimed at the test's ``level``, which the budget
        has fixed before; that of single aspects is graded.
        """
        look = min(look, len(self.groups) - 1)
        stratum = self.groups[look][stratum_of(features)]
        joint = self.models[f"group {stratum_of(features)}"].log_odds(features)
        scores = {"joint": joint, **detector_scores(features)}
        e_values = {}
        for name, score in scores.items():
            reference = stratum[name]
            p = conformal_p(score, reference)
            if name == _AIMED:
                e_values[name] = aim(p, reference.size, level * WEIGHTS[name])
            else:
                e_values[name] = calibrate(p, reference.size)
        quantiles = {
            name: round(1 - conformal_p(value, self.features[look][name]), 6)
            for name, value in features.items()
        }
        return Assessment(round(merge(e_values, WEIGHTS), 6), quantiles, e_values)

    def group_prior(self, features: Mapping[str, float]) -> Prior:
        """Give the prior by which a group of this stratum is scored."""
        return self.group[stratum_of(features)]

    def group_limit(
        self, features: Mapping[str, float], look: int, level: float
    ) -> float:
        """Give the largest e-value that a group of this stratum can reach at a look."""
        look = min(look, len(self.groups) - 1)
        stratum = self.groups[look][stratum_of(features)]
        limits = {
            name: aim(0.0, scores.size, level * WEIGHTS[name])
            if name == _AIMED
            else resolution_limit(scores.size)
            for name, scores in stratum.items()
        }
        return merge(limits, WEIGHTS)

    def assess_member(self, features: Mapping[str, float]) -> float:
        """Give the e-value that an account of a group is more than a bystander."""
        return self.member_e_value(self.models["member"].log_odds(features))

    def member_e_value(self, score: float) -> float:
        """Give the e-value of an account with such a score; infinity has the largest.

        >>> load_reference().member_e_value(float("inf"))
        1000.0
        """
        held = _held(self)
        return held.e_values[bisect_left(held.rising, score)]

    def member_limit(self, e_value: float) -> float:
        """Give the largest score of an account whose e-value is below ``e_value``.

        Infinity where no account reaches it, -infinity where all do.

        >>> reference = load_reference()
        >>> limit = reference.member_limit(100.0)
        >>> [reference.member_e_value(score) for score in (limit, limit + 1e-6)]
        [20.0, 100.0]
        """
        held = _held(self)
        at = bisect_left(held.e_values, e_value)  # they rise with the score
        if at == len(held.e_values):
            return math.inf
        return held.rising[at - 1] if at else -math.inf

    def member_quantile(self, score: float) -> float:
        """Give the share of bystanders whose score is below such a score."""
        held = _held(self)
        return held.quantiles[bisect_left(held.rising, score)]

    def lone_quantile(self, name: str, value: float) -> float:
        """Give the quantile of an account that has one feature and nothing else."""
        known = _held(self).alone
        quantile = known.get((name, value))
        if quantile is None:
            score = self.models["member"].log_odds({name: value})
            if len(known) >= _MOST_ALONE:
                known.clear()
            quantile = known[name, value] = self.member_quantile(score)
        return quantile

    def member_prior(self, features: Mapping[str, float]) -> float:
        """Give the log-odds by which an account's ties exceed those of one without."""
        return self.models["member"].log_odds(features) - self.member.intercept

    @property
    def models(self) -> dict[str, Likeness]:
        """River models that start from the priors."""
        return _held(self).models


def detector_scores(features: Mapping[str, float]) -> dict[str, float]:
    """Add up the features of each detector.

    >>> features = dict.fromkeys([f for names in DETECTORS.values() for f in names], 0)
    >>> detector_scores(features | {"payment": 1.0})["infrastructure"]
    1.0
    """
    return {
        name: round(sum(features[feature] for feature in names), 6)
        for name, names in DETECTORS.items()
    }


def digest(content: Mapping[str, Any]) -> str:
    """Digest a reference's content, without its own digest."""
    clean = {key: value for key, value in content.items() if key != "digest"}
    packed = json.dumps(clean, sort_keys=True, separators=(",", ":")).encode()
    return blake2b(packed, digest_size=16).hexdigest()


class _Held(NamedTuple):
    """What is made of a reference once.

    ``rising`` are the scores of bystanders; ``e_values[n]`` is the e-value of an
    account with a score above the first ``n`` of them, and not above any other, and
    ``quantiles[n]`` its quantile among them. ``alone`` are quantiles of single features
    that were asked for of late: many accounts have the same ones.
    """

    reference: Reference
    models: dict[str, Likeness]
    rising: list[float]
    e_values: list[float]
    quantiles: list[float]
    alone: dict[tuple[str, float], float]


_cached: dict[str, _Held] = {}


def _held(reference: Reference) -> _Held:
    # A reference that was altered in memory still has the digest that it was read with.
    held = _cached.get(reference.digest)
    if held is None or not (
        held.reference.group is reference.group
        and held.reference.member is reference.member
        and held.reference.account is reference.account
        and held.reference.bystanders is reference.bystanders
    ):
        models = {
            "account": reference.account.model(),
            "member": reference.member.model(),
            **{f"group {key}": one.model() for key, one in reference.group.items()},
        }
        rising = reference.bystanders.scores[::-1]
        p_values = [
            conformal_p(score, reference.bystanders) for score in (*rising, math.inf)
        ]
        e_values = [staged(p, MEMBER_E_VALUES) for p in p_values]
        quantiles = [round(1 - p, 6) for p in p_values]
        held = _Held(reference, models, rising, e_values, quantiles, {})
        _cached[reference.digest] = held
    return held


@cache
def load_reference() -> Reference:
    """Load the shipped reference; raise `StateError` when it was altered."""
    raw = files("streams.models").joinpath("reference.json").read_bytes()
    content = json.loads(raw)
    if digest(content) != content.get("digest"):
        raise StateError(
            "models/reference.json does not match its digest: reinstall distillwatch, "
            "or build a reference of your own with `distillwatch reference build`"
        )
    return msgspec.convert(content, Reference)
