"""A campaign: a group whose joint evidence was strong enough, and its life since."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from streams.campaigns.group import Group

__all__ = ["Campaign", "campaign_id"]


class Campaign(msgspec.Struct, array_like=True):
    """What is remembered of a campaign, apart from its group's accounts and facets.

    ``confirmations`` counts the looks at which the group was rejected; ``level`` is
    the error level spent on the first rejection; ``announced`` is the number of
    accounts at the last alert.
    """

    identifier: str
    started: int
    found: int
    e_value: float
    level: float
    confirmations: int = 1
    sequence: int = 0
    announced: int = 0
    pivots: list[str] = []
    features: dict[str, float] = {}
    quantiles: dict[str, float] = {}


def campaign_id(group: Group) -> str:
    """Derive the id from the group's first facet and minute, so that replays agree.

    >>> campaign_id(Group(number=7, first=100))
    'dc-f07b1c159cdb'
    """
    text = f"{group.number}:{group.first}".encode()
    return "dc-" + blake2b(text, digest_size=6).hexdigest()
