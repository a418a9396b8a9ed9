"""Which facets may leave, and who can recognise them.

Every id is hashed anew with the sharing key before it leaves. A receiver who has that
key hashes what it knows itself, and equal values give equal ids. What was already a
keyed hash before, however, is only equal among those who made it with the same key:

=============  =======================================================================
kind           recognised by
=============  =======================================================================
``tls``        everybody who reports JA4 fingerprints: they are public values
``client``     those who report the same spelling, or hash it with the same key
``network``    those who hash networks in the same form and with the same platform key
``template_*`` those who sketch prompts with the same sketch key, for example the
               regions of one provider
``payment``    nobody: it concerns a person, and every provider hashes its own
               tokens, so it never leaves
=============  =======================================================================

Accounts are each provider's own, so nobody else could recognise one; their ids do not
go into a STIX bundle at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from streams.features.account_row import TEMPLATE_KINDS
from streams.sdk.sharing.sharing_key import SharingKey

__all__ = ["RECOGNISED_BY", "SharedFacet", "facet_of", "shared_facets"]

RECOGNISED_BY: Final[Mapping[str, str]] = {
    **dict.fromkeys(TEMPLATE_KINDS, "parties with the same sketch key"),
    "network": "parties that hash networks alike, with the same platform key",
    "tls": "everybody who reports JA4 fingerprints",
    "client": "parties that report clients in the same spelling",
}
"""Kinds of facet that may leave, and who can match them."""


class SharedFacet(NamedTuple):
    """A facet as it leaves: its kind, and its id under the sharing key."""

    kind: str
    keyed: str


def facet_of(label: str) -> tuple[str, str] | None:
    """Split KIND:ID; None unless facets of this kind may leave.

    >>> facet_of("tls:t13d1516h2_8daaf6152771_b0da82dd1658")
    ('tls', 't13d1516h2_8daaf6152771_b0da82dd1658')
    >>> facet_of("payment:4f1a") is None
    True
    """
    kind, separator, identifier = label.partition(":")
    if not separator or not identifier or kind not in RECOGNISED_BY:
        return None
    return kind, identifier


def shared_facets(labels: Iterable[str], key: SharingKey) -> list[SharedFacet]:
    """Give the facets of an alert that may leave, in its order, each once."""
    found = (facet for label in labels if (facet := facet_of(label)))
    return list(dict.fromkeys(SharedFacet(k, key.keyed(k, i)) for k, i in found))
