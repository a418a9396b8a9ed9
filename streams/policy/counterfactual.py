"""What would have cleared a subject: computed from the ladder and the reference.

One thing is changed at a time, and the nearest value is told at which the rung, or the
rejection of the group, would not have come about. Features lie on a grid of six
decimals (`group_features`, `GroupProfile.member`), so the nearest value is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from streams.campaigns.group_features import FEATURES
from streams.campaigns.member_features import MEMBER_FEATURES
from streams.models.contributions import contributions
from streams.models.label_model import cautious
from streams.models.reference import COMPARING, Reference
from streams.policy.ladder import Evidence, Step

__all__ = ["Change", "Counterfactual", "clear_account", "clear_group"]

_KEPT: Final = COMPARING | {"mixing"}
"""Features that tell the stratum, and stay: else a group would be cleared by comparing
it with others."""

_GRID: Final = 1_000_000
"""Steps of a feature between 0 and 1."""


class Change(msgspec.Struct, frozen=True):
    """One thing by itself: the value seen, and the nearest one that would have cleared.

    ``clears_at`` is None when no value of it would have.
    """

    name: str
    seen: float
    clears_at: float | None


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """What would have cleared an account, or its group.

    ``needed`` is the e-value below which it would have been cleared. ``evidence`` holds
    the counts and the e-value themselves, ``features`` each feature by itself.
    ``together``: the fewest features, by what they add, that clear when all are 0;
    empty when a single change does, or when not even all of them would.
    """

    about: Literal["account", "campaign"]
    needed: float
    evidence: tuple[Change, ...] = ()
    features: tuple[Change, ...] = ()
    together: tuple[str, ...] = ()

    @property
    def by_one_feature(self) -> bool:
        """Whether a single feature could have cleared it."""
        return any(change.clears_at is not None for change in self.features)


def clear_account(
    step: Step,
    seen: Evidence,
    member: Mapping[str, float] | None,
    reference: Reference | None,
    *,
    caution: float = 1.0,
) -> Counterfactual:
    """Tell what would have kept an account off a rung.

    ``member`` are its features as `GroupProfile.member` names them, None when the log
    does not tell them; ``reference`` is None when it is not the one that decided.
    ``caution`` is the factor by which labels had lowered its e-value.

    >>> step = Step("throttle", uses=3, e_value=100, confirmations=1, minutes=60)
    >>> seen = Evidence(minute=0, uses=7, e_value=5461.0, confirmations=2)
    >>> [(c.name, c.clears_at) for c in clear_account(step, seen, None, None).evidence]
    [('exchanges', 2.0), ('confirmations', 0.0), ('e_value', None)]
    """
    largest = None
    if reference is not None:
        below = _e_value_below(reference, step.e_value / caution)
        largest = None if below is None else cautious(below, caution)
    evidence = (
        Change("exchanges", seen.uses, _below(step.uses)),
        Change("confirmations", seen.confirmations, _below(step.confirmations)),
        Change("e_value", seen.e_value, largest),
    )
    if member is None or reference is None:
        return Counterfactual(about="account", needed=step.e_value, evidence=evidence)
    features = {name: member.get(name, 0.0) for name in MEMBER_FEATURES}
    changes, together = _clear(
        features,
        lambda changed: (
            cautious(reference.assess_member(changed), caution) < step.e_value
        ),
        reference.member.weights,
        contributions(reference.member, features),
    )
    return Counterfactual(
        about="account",
        needed=step.e_value,
        evidence=evidence,
        features=changes,
        together=together,
    )


def clear_group(
    features: Mapping[str, float], look: int, level: float, reference: Reference
) -> Counterfactual:
    """Tell what would have kept a group from being called a campaign.

    ``features`` are those of a test, as `group_features` names them; what is not there
    is 0. ``level`` is the error level that the test was given. No feature speaks for a
    group, so only lower values are tried: a higher one of ``payment`` or ``network``
    would clear it only by having it compared with other groups.
    """
    whole = {name: features.get(name, 0.0) for name in FEATURES}
    prior = reference.group_prior(whole)
    changes, together = _clear(
        {name: x for name, x in whole.items() if name not in _KEPT},
        lambda changed: (
            reference.assess_group({**whole, **changed}, look, level).e_value * level
            < 1
        ),
        prior.weights,
        contributions(prior, whole),
        ends=(0,),
    )
    return Counterfactual(
        about="campaign", needed=1 / level, features=changes, together=together
    )


def _clear(
    features: Mapping[str, float],
    clears: Callable[[Mapping[str, float]], bool],
    weights: Mapping[str, float],
    shares: Mapping[str, float],
    ends: Sequence[int] = (0, _GRID),
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Change features one by one, and, if that does not clear, more and more of them.

    Those that the model knows or that are not 0 count, by what they add.
    """
    order = sorted(features, key=lambda name: (-shares[name], name))
    changes = []
    for name in order:
        if not features[name] and weights.get(name, 0.0) >= 0:
            continue  # it speaks for the subject already
        found = _nearest(features, name, clears, ends)
        changes.append(Change(name, features[name], found))
    if any(change.clears_at is not None for change in changes):
        return tuple(changes), ()
    changed, together = dict(features), []
    for name in order:
        if not changed[name]:
            continue
        changed[name] = 0.0
        together.append(name)
        if clears(changed):
            return tuple(changes), tuple(together)
    return tuple(changes), ()


def _nearest(
    features: Mapping[str, float],
    name: str,
    clears: Callable[[Mapping[str, float]], bool],
    ends: Sequence[int],
) -> float | None:
    """Find the nearest value of one feature that clears; the first end goes first."""
    seen = round(features[name] * _GRID)

    def holds(at: int) -> bool:
        return clears({**features, name: at / _GRID})

    for end in ends:
        if end == seen or not holds(end):
            continue
        bad, good = seen, end
        while abs(good - bad) > 1:
            middle = (bad + good) // 2
            bad, good = (bad, middle) if holds(middle) else (middle, good)
        return good / _GRID
    return None


def _below(count: int) -> float | None:
    return float(count - 1) if count > 0 else None


def _e_value_below(reference: Reference, needed: float) -> float | None:
    """Give the largest e-value below ``needed`` that an account can have."""
    scores = {*reference.bystanders.scores, math.inf}
    possible = map(reference.member_e_value, scores)
    return max((e_value for e_value in possible if e_value < needed), default=None)
