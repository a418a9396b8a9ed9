"""What an enforcer should do with one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, get_args

import msgspec

from streams.contracts.records import Action, Rung

__all__ = ["NOTHING", "RANK", "Decision", "actions_checksum"]

RANK: Final[Mapping[str, int]] = MappingProxyType(
    {rung: place for place, rung in enumerate(get_args(Rung))}
)
"""Strength of each rung; a stronger one has the larger number."""

_NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})
_DIGEST_BYTES: Final = 16


class Decision(msgspec.Struct, frozen=True):
    """What stands for a request: what to enforce, and what would be enforced.

    ``action`` is the strongest action in force, None when the request is free.
    ``would`` is the strongest one that is only to be seen: in shadow, waiting for a
    person, allowlisted, or refused by this enforcer. Never act on it; ``withheld`` says
    why not, when one reason holds for the whole request.

    >>> NOTHING.rung, NOTHING.reason_codes
    (None, ())
    """

    action: Action | None = None
    would: Action | None = None
    withheld: str | None = None

    @property
    def rung(self) -> Rung | None:
        """The step to enforce, or None."""
        return None if self.action is None else self.action.rung

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the step, for example ``requests_per_minute``."""
        return _NO_PARAMETERS if self.action is None else self.action.parameters

    @property
    def reason_codes(self) -> tuple[str, ...]:
        """Why, in words that may be shown to the customer."""
        return () if self.action is None else self.action.reason_codes


NOTHING: Final = Decision()
"""The decision where nothing stands."""


def actions_checksum(actions: Iterable[Action]) -> str:
    """Digest a set of standing actions, in any order: 32 hexadecimal digits.

    The sum modulo 2^128 of BLAKE2b-128 over subject, sequence, action id and expiry of
    each. Two enforcers that hold the same actions give the same digest.

    >>> actions_checksum([])
    '00000000000000000000000000000000'
    """
    total = 0
    for action in actions:
        identity = (
            f"{action.subject}\0{action.sequence}\0{action.action_id}\0"
            f"{action.expires_at}"
        )
        digest = blake2b(identity.encode(), digest_size=_DIGEST_BYTES).digest()
        total += int.from_bytes(digest)
    return f"{total % (1 << 8 * _DIGEST_BYTES):0{2 * _DIGEST_BYTES}x}"
