"""A campaign: a group whose joint evidence was strong enough, and its life since."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from streams.campaigns.group import Group
from streams.campaigns.model_mix import ModelMix
from streams.models.reference import is_one_network

__all__ = ["Campaign", "campaign_id"]


class Campaign(msgspec.Struct, array_like=True):
    """What is remembered of a campaign, apart from its group's accounts and facets.

    ``confirmations`` counts the looks at which the group was rejected; ``level`` is
    the error level spent on the first rejection; ``announced`` is the number of
    accounts that were named in alerts or passed over when that was last asked, in
    minute ``told``; ``merged`` are campaigns that turned out to be part of it;
    ``released`` is the minute of a release by hand, -1 for none; ``watched`` are the
    imported indicators that its accounts match; ``mix`` has its models.
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
    merged: list[str] = []
    released: int = -1
    released_confirmations: int = 0
    watched: list[str] = []
    mix: ModelMix = msgspec.field(default_factory=ModelMix)
    told: int = -1

    @property
    def names(self) -> tuple[str, ...]:
        """Its id and those of the campaigns merged into it."""
        return self.identifier, *self.merged

    @property
    def is_one_network(self) -> bool:
        """Whether most of its accounts were on one network at its last look."""
        return is_one_network(self.features)

    def release(self, minute: int) -> None:
        """Let its accounts be, until it is confirmed anew after the cool-off."""
        self.released, self.released_confirmations = minute, self.confirmations

    def is_resting(self, minute: int, cool_off_minutes: int) -> bool:
        """Whether a release by hand still holds for all its accounts.

        >>> campaign = Campaign("dc-1", 0, 0, 300.0, 0.01)
        >>> campaign.release(10)
        >>> campaign.is_resting(9_000, cool_off_minutes=60)
        True
        >>> campaign.confirmations += 1
        >>> campaign.is_resting(9_000, cool_off_minutes=60)
        False
        """
        if self.released < 0:
            return False
        cooling = minute < self.released + cool_off_minutes
        return cooling or self.confirmations <= self.released_confirmations


def campaign_id(group: Group) -> str:
    """Derive the id from the group's first facet and minute, so that replays agree.

    >>> campaign_id(Group(number=7, first=100))
    'dc-f07b1c159cdb'
    """
    text = f"{group.number}:{group.first}".encode()
    return "dc-" + blake2b(text, digest_size=6).hexdigest()
