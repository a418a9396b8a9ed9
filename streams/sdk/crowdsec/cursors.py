"""How far each bouncer has pulled."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

__all__ = ["Bouncer", "Cursors"]

_MAX_BOUNCERS: Final = 10_000
"""Bouncers remembered; who is forgotten gets everything at its next pull."""


class Bouncer(NamedTuple):
    """Who pulls. Two machines that share a key are two bouncers."""

    name: str
    host: str


class Cursors:
    """Remember the revision of each bouncer's last pull, of the latest bouncers."""

    def __init__(self, limit: int = _MAX_BOUNCERS) -> None:
        self._limit = limit
        self._revisions: OrderedDict[Bouncer, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._revisions)

    def get(self, bouncer: Bouncer) -> int | None:
        """Give where the bouncer's next pull begins; None: it never pulled here."""
        return self._revisions.get(bouncer)

    def set(self, bouncer: Bouncer, revision: int) -> None:
        """Note that the bouncer has got everything up to a revision."""
        self._revisions[bouncer] = revision
        self._revisions.move_to_end(bouncer)
        if len(self._revisions) > self._limit:
            self._revisions.popitem(last=False)
