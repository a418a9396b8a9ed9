"""Which decisions a bouncer asks for: the query parameters of the Local API."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Self

from streams.sdk.crowdsec.decision import ORIGIN, BouncerDecision

__all__ = ["STREAM_SCOPES", "DecisionFilter"]

STREAM_SCOPES: Final = "ip,range"
"""Scopes of a stream whose bouncer names none, as LAPI has it."""


@dataclasses.dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Criteria, each in lower case; an empty one asks for everything."""

    scopes: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    containing: tuple[str, ...] = ()
    not_containing: tuple[str, ...] = ()
    type: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """Read ``scopes``, ``origins``, ``scenarios_containing`` and the others.

        Lists are separated by commas; parameters that are not known are ignored.

        >>> sorted(DecisionFilter.from_query({"scopes": "Ip,account"}).scopes)
        ['account', 'ip']
        """
        return cls(
            scopes=frozenset(_words(query, "scopes") + _words(query, "scope")),
            origins=frozenset(_words(query, "origins")),
            containing=_words(query, "scenarios_containing"),
            not_containing=_words(query, "scenarios_not_containing"),
            type=query.get("type", ""),
        )

    def wants(self, decision: BouncerDecision) -> bool:
        """Say whether the bouncer asks for this decision."""
        if self.scopes and decision.scope.lower() not in self.scopes:
            return False
        if self.origins and ORIGIN not in self.origins:
            return False
        if self.type and decision.type != self.type:
            return False
        if not self.containing and not self.not_containing:
            return True
        scenario = decision.scenario.lower()
        if self.containing and not any(each in scenario for each in self.containing):
            return False
        return not any(each in scenario for each in self.not_containing)


def _words(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    listed = query.get(name, "").lower().split(",")
    return tuple(each for word in listed if (each := word.strip()))
