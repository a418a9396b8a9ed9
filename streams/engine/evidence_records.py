"""All that a test or an account was measured by, for llm.decisions.

Actions and alerts carry the strongest reasons only, as enforcers and people read them.
Decisions carry every feature that is not 0, so that what would have cleared somebody
can be computed from the log alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streams.contracts.records import Feature
from streams.models.contributions import contributions
from streams.models.label_model import CAUTION
from streams.models.reference import DETECTOR_OF, Reference

__all__ = [
    "ACCOUNT",
    "caution_evidence",
    "group_evidence",
    "member_evidence",
]

ACCOUNT: Final = "account"
"""Begins the names of an account's own features."""


def group_evidence(
    features: Mapping[str, float],
    quantiles: Mapping[str, float],
    watched: Sequence[str],
    reference: Reference,
) -> tuple[Feature, ...]:
    """List a tested group's features, by what they add to its joint score."""
    shares = contributions(reference.group_prior(features), features)
    listed = [
        Feature(
            name=f"{DETECTOR_OF.get(name, 'joint')}.{name}",
            value=features[name],
            benign_quantile=quantiles.get(name, 0.0),
            weight=shares[name],
        )
        for name in sorted(features, key=lambda name: (-shares[name], name))
        if features[name]
    ]
    if watched:
        # It brought the group to a test of its own; it is no evidence, and weighs 0.
        name, count = "indicator.watched", float(len(watched))
        listed.append(Feature(name=name, value=count, benign_quantile=0.0, weight=0.0))
    return tuple(listed)


def member_evidence(
    member: Mapping[str, float], reference: Reference
) -> tuple[Feature, ...]:
    """List what ties an account to its group, by what it adds to the account's score.

    The reference knows bystanders by their score alone. So the benign quantile of a
    feature is the share of bystanders whose score is below that of an account with this
    feature and nothing else.
    """
    shares = contributions(reference.member, member)
    return tuple(
        Feature(
            name=f"{ACCOUNT}.{name}",
            value=member[name],
            benign_quantile=reference.lone_quantile(name, member[name]),
            weight=shares[name],
        )
        for name in sorted(member, key=lambda name: (-shares[name], name))
        if member[name]
    )


def caution_evidence(factor: float, examples: int) -> tuple[Feature, ...]:
    """Tell by what labels lowered an e-value, and by how many examples; 1 is silent.

    >>> [one.name for one in caution_evidence(0.125, 40)]
    ['label.caution', 'label.examples']
    >>> caution_evidence(1.0, 40)
    ()
    """
    if factor == 1:
        return ()
    return tuple(
        Feature(name=name, value=value, benign_quantile=0.0, weight=0.0)
        for name, value in ((CAUTION, factor), ("label.examples", float(examples)))
    )
