"""From an action to the decision that a CrowdSec bouncer is told.

Field names and meanings are those of the Local API of CrowdSec 1.4 to 1.6.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from streams.contracts.records import Action
from streams.errors import ConfigError
from streams.sdk.crowdsec.go_duration import go_duration
from streams.sdk.decision import RANK

__all__ = [
    "ORIGIN",
    "BouncerDecision",
    "DecisionMaker",
    "Place",
    "encode_decisions",
    "place_of",
]

ORIGIN: Final = "distillwatch"
"""The origin of every decision."""

_TYPES: Final[Mapping[str, str]] = {
    "throttle": "throttle",
    "challenge": "captcha",
    "suspend": "ban",
}
_PLAIN: Final = ("account", "organization", "campaign")  # subjects KIND:ID
_NETWORK: Final = "network"
_IP: Final = "Ip"
_RANGE: Final = "Range"
# Scopes that a facet's kind must not take: another subject has them.
_TAKEN: Final = frozenset({*_PLAIN, _IP.lower(), _RANGE.lower()})
_ID_BITS: Final = 53
"""Bits of an id. Lua and JavaScript bouncers read numbers as doubles."""


class Place(NamedTuple):
    """What CrowdSec calls scope and value: whom a decision is about."""

    scope: str
    value: str


def place_of(subject: str) -> Place | None:
    """Give the scope and value of a subject; None for a kind that is not known.

    No two subjects have the same place. A network facet that is an address or a
    network has the scope that firewalls know.

    >>> place_of("account:9f2c"), place_of("facet:network:10.0.0.0/24")
    (Place(scope='account', value='9f2c'), Place(scope='Range', value='10.0.0.0/24'))
    >>> place_of("facet:network:ab12"), place_of("facet:payment:p1")
    (Place(scope='network', value='ab12'), Place(scope='payment', value='p1'))
    """
    kind, _, rest = subject.partition(":")
    if kind in _PLAIN:
        return Place(sys.intern(kind), rest) if rest else None
    kind, _, value = rest.partition(":")
    if not subject.startswith("facet:") or not kind or not value:
        return None
    if kind == _NETWORK:
        return Place(_network_scope(value), value)
    # Such a facet does not exist today; if it did, an account's bouncer is not for it.
    return Place(f"facet:{kind}" if kind.lower() in _TAKEN else sys.intern(kind), value)


def _network_scope(value: str) -> str:
    if "." not in value and ":" not in value:
        return _NETWORK  # most ids are digests: exceptions are slow
    try:
        if "/" in value:
            ipaddress.ip_network(value)
            return _RANGE
        ipaddress.ip_address(value)
    except ValueError:
        return _NETWORK
    return _IP


class BouncerDecision(msgspec.Struct, frozen=True, gc=False):
    """A decision of one subject; ``until`` in ms since the epoch, also when lifted.

    ``id`` is a hash of subject and type, so that an action that is extended keeps it:
    bouncers that tell decisions apart by id replace, as those do that go by value.
    ``revision`` counts the changes of the log that holds it.
    """

    subject: str
    scope: str
    value: str
    type: str
    scenario: str
    id: int
    action_id: str
    until: int
    revision: int = 0


class DecisionMaker:
    """Make decisions of actions, with a table from rung to CrowdSec's type.

    ``types`` overrides the table; a rung without an entry keeps its own name. Actions
    on a rung of ``omit`` are kept from bouncers.
    """

    def __init__(
        self,
        types: Mapping[str, str] | None = None,
        *,
        omit: Collection[str] = (),
    ) -> None:
        for rung in (*(types or {}), *omit):
            if rung not in RANK:
                raise ConfigError(f"{rung} is no rung; rungs are: {', '.join(RANK)}")
        self._types: dict[str, str] = {rung: rung for rung in RANK}
        self._types |= {**_TYPES, **(types or {})}
        self._omit = frozenset(omit)
        if empty := [rung for rung, name in self._types.items() if not name]:
            raise ConfigError(f"rung {empty[0]} has an empty type; name one")

    def make(self, action: Action) -> BouncerDecision | None:
        """Make the decision; None for what bouncers are not to see.

        Whether the action is to be enforced is the caller's to know.
        """
        place = None if action.rung in self._omit else place_of(action.subject)
        if place is None:
            return None
        kind = self._types[action.rung]
        campaign = action.campaign_id or action.scenario_version or action.rung
        return BouncerDecision(
            subject=action.subject,
            scope=place.scope,
            value=place.value,
            type=kind,
            scenario=sys.intern(f"{ORIGIN}/{campaign}"),
            id=_identify(action.subject, kind),
            action_id=action.action_id,
            until=action.expires_at,
        )


def _identify(subject: str, kind: str) -> int:
    digest = blake2b(f"{kind}\0{subject}".encode(), digest_size=8).digest()
    # Zero means "none" to Go.
    return (int.from_bytes(digest) >> (64 - _ID_BITS)) or 1


class _Wire(msgspec.Struct, frozen=True, gc=False):
    """What LAPI writes, in its order."""

    duration: str
    id: int
    origin: str
    scenario: str
    scope: str
    type: str
    uuid: str
    value: str


_encoder: Final = msgspec.json.Encoder()


def encode_decisions(decisions: Iterable[BouncerDecision], now: int) -> bytes:
    """Write decisions as the inside of a JSON array; durations count from ``now``.

    >>> ban = BouncerDecision("account:1", "account", "1", "ban", "s", 7, "a", 1500)
    >>> encode_decisions([ban, ban], 0).startswith(b'{"duration":"1.5s","id":7,')
    True
    """
    return _encoder.encode(
        [
            _Wire(
                go_duration(each.until - now),
                each.id,
                ORIGIN,
                each.scenario,
                each.scope,
                each.type,
                each.action_id,
                each.value,
            )
            for each in decisions
        ]
    )[1:-1]
