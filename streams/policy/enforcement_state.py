"""What reconciliation tells: per enforcer, and per enforcer and action."""

from __future__ import annotations

import msgspec

from streams.contracts.records import Rung
from streams.policy.enforcement_pairs import Status

__all__ = ["EnforcementState", "EnforcerState", "Latency", "Overdue", "Pair"]


class Pair(msgspec.Struct, frozen=True):
    """One action, or what is left of one, and one expected enforcer.

    ``since`` is in ms. ``latency`` (s) is from the publication of the action to the
    enforcer's first ``applied``, None before. ``overdue``: pending or held for longer
    than the limit.
    """

    subject: str
    enforcer: str
    status: Status
    since: int
    latency: float | None
    detail: str | None
    overdue: bool


class Overdue(msgspec.Struct, frozen=True):
    """A subject that an enforcer leaves waiting since a moment in ms."""

    subject: str
    since: int
    release: bool


class Latency(msgspec.Struct, frozen=True):
    """Seconds from the publication of an action to its enforcement."""

    enforcer: str
    rung: Rung
    seconds: float


class EnforcerState(msgspec.Struct, frozen=True):
    """Counts of one enforcer's actions; ``p50`` and ``p99`` in s, None without data.

    ``heard_at`` is its last acknowledgement, in ms, or None. ``held`` counts what it
    still enforces though it has ended, ``too_old`` what is not overdue only because the
    acknowledgements of that time may be gone. ``oldest`` are the longest overdue, at
    most 100. ``refusals`` maps reasons to counts, the most frequent first, at most 10.
    """

    enforcer: str
    heard_at: int | None
    desired: int
    enforced: int
    refused: int
    pending: int
    held: int
    overdue: int
    releases_overdue: int
    too_old: int
    p50: float | None
    p99: float | None
    oldest: tuple[Overdue, ...]
    refusals: dict[str, int]


class EnforcementState(msgspec.Struct, frozen=True):
    """All that is known at a moment, ``at`` (ms).

    ``unanswered`` counts actions older than the limit that nobody has acknowledged,
    while no enforcer is expected; ``heard_at`` is the last acknowledgement of anybody.
    """

    at: int
    desired: int
    enforcers: tuple[EnforcerState, ...]
    unanswered: int
    unanswered_since: int | None
    heard_at: int | None

    @property
    def well(self) -> bool:
        """Whether nothing is overdue.

        >>> EnforcementState(0, 3, (), 3, 0, None).well
        False
        """
        late = any(e.overdue or e.releases_overdue for e in self.enforcers)
        return not late and not self.unanswered
