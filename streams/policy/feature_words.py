"""Features, benign quantiles and baselines in words, for explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["FEATURE_WORDS", "baseline_words", "feature_words", "quantile_words"]

FEATURE_WORDS: Final[Mapping[str, str]] = {
    "account.templated_exchanges": "exchanges of its own that use a template",
    "account.uses": "such exchanges, logarithmic, 64 are 1",
    "account.templates": "templates of the group that it uses, 1 is 0, 5 are 1",
    "account.share": "share of its traffic that uses them",
    "account.payment": "payment shared with the group and hardly anyone else",
    "account.network": "network shared with the group and hardly anyone else",
    "account.software": "TLS and client of the group and hardly anyone else",
    "account.cohort": "share of the group opened within a day of it",
    "account.batch": "accounts of the group opened in its half hour, logarithmic",
    "account.young": "began within a week of being opened",
    "infrastructure.payment": "accounts with a payment that hardly others use",
    "infrastructure.network": "accounts on a network that hardly others use",
    "infrastructure.tls": "accounts with a TLS fingerprint that hardly others have",
    "infrastructure.client": "accounts with a client that hardly others use",
    "infrastructure.sharing_crowd": "how many share payments or networks, logarithmic",
    "timing.young_crowd": "how many accounts are young, logarithmic",
    "timing.young": "accounts that began within a week of being opened",
    "timing.burst": "accounts opened within the same two days",
    "timing.batches": "accounts opened within half an hour, among those hours'",
    "timing.batch_days": "accounts opened within half an hour, among that day's",
    "timing.even": "how evenly the work is spread over the accounts",
    "timing.lockstep": "half hours in which they are active together, beyond chance",
    "template.complementary": "how few fillings repeat: a split list of tasks",
    "template.co_use": "how many templates they have in common, logarithmic",
    "template.templated": "share of their traffic that repeats a template",
    "joint.payer": "accounts with the commonest payment",
    "joint.place": "accounts last seen on the commonest network",
    "joint.mixing": "how far they mix several payments with several networks",
    "joint.likeness": "mean likeness of the accounts' traffic to extraction",
    "label.caution": "factor of its e-value, from labels of accounts like it",
    "label.examples": "labelled accounts that this factor was learned from",
    "indicator.watched": "imported indicators that it matches; no evidence",
}
"""What each feature of llm.decisions measures."""

_GROUPS: Final = "benign groups at the same look"
_ACCOUNTS: Final = "ordinary accounts that use a campaign's template"
_ALL: Final = 0.99995  # a share that two decimals of a percentage show as 100


def feature_words(name: str) -> str:
    """Say what a feature measures; its bare name when nobody here knows it."""
    return FEATURE_WORDS.get(name, name)


def baseline_words(name: str) -> str:
    """Say with what a feature was compared.

    >>> baseline_words("account.share")
    "ordinary accounts that use a campaign's template"
    >>> baseline_words("timing.even")
    'benign groups at the same look'
    """
    return _ACCOUNTS if name.startswith("account.") else _GROUPS


def quantile_words(name: str, quantile: float) -> str:
    """Say how far out a value is.

    >>> quantile_words("timing.even", 0.976)
    'above 97.60% of benign groups at the same look'
    >>> quantile_words("account.share", 1.0)
    "above all ordinary accounts that use a campaign's template"
    """
    share = "all" if quantile >= _ALL else f"{quantile:.2%} of"
    return f"above {share} {baseline_words(name)}"
