"""From an e-value to the confidence, 0 to 100, that STIX and OCSF ask for.

The e-value is read as a Bayes factor against prior odds. STIX 2.1, Appendix A, gives
the words: up to 29 is low, up to 69 medium, above that high.
"""

from __future__ import annotations

import math
from typing import Final

from streams.features.account_row import INFRASTRUCTURE_KINDS

__all__ = [
    "HIGH",
    "MEDIUM",
    "campaign_confidence",
    "facet_confidence",
    "finite_e_value",
]

_PRIOR: Final = 0.01
"""Share of tested groups taken to be campaigns before any evidence; a convention."""
_LARGEST: Final = 1e12  # what JSON can carry; far beyond any reference's resolution
MEDIUM: Final = 30
HIGH: Final = 70
_SHARED_WITH_OTHERS: Final = 50
"""Most that a network, a TLS fingerprint or a client can get: the middle of medium,
as honest customers use it too."""


def campaign_confidence(e_value: float) -> int:
    """Give the confidence that a group of this e-value is a campaign.

    >>> [campaign_confidence(e) for e in (1, 20, 100, 1000)]
    [1, 17, 50, 91]
    """
    odds = finite_e_value(e_value) * _PRIOR / (1 - _PRIOR)
    return round(100 * odds / (1 + odds))


def facet_confidence(kind: str, e_value: float) -> int:
    """Give the confidence that who uses this facet belongs to the campaign.

    >>> facet_confidence("template_head", 1000), facet_confidence("tls", 1000)
    (91, 50)
    """
    confidence = campaign_confidence(e_value)
    if kind in INFRASTRUCTURE_KINDS:
        return min(confidence, _SHARED_WITH_OTHERS)
    return confidence


def finite_e_value(e_value: float) -> float:
    """Bound an e-value to what JSON can carry, 0 to 1e12; NaN counts as no evidence.

    >>> finite_e_value(float("inf")), finite_e_value(float("nan"))
    (1000000000000.0, 0.0)
    """
    return 0.0 if math.isnan(e_value) else min(max(e_value, 0.0), _LARGEST)
