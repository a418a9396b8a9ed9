"""Counts of a reporter: what was reported, what arrived, what was dropped and why."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

__all__ = ["DropReason", "ReporterStats"]


class DropReason(enum.StrEnum):
    """Why the reporter gave an event up itself; Kafka's refusals are ``failed``."""

    BUFFER_FULL = "buffer_full"
    """As many events as ``max_buffered`` were waiting already."""

    REFUSED_CONTENT = "refused_content"
    """The event carries a field for prompt or output text."""

    INVALID = "invalid"
    """A field is missing, unknown, of the wrong type or out of its range."""

    SKETCH_FAILED = "sketch_failed"
    """The sketcher could not digest the prompt."""

    CLOSED = "closed"
    """Still waiting when the time given to ``close`` was over."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReporterStats:
    """Snapshot of a reporter's counts, each a number of events since it was made.

    Every reported event is in exactly one of the other counts:
    ``reported == delivered + failed + sum(dropped.values()) + buffered``.

    >>> stats = ReporterStats(
    ...     reported=9, delivered=5, failed=1, buffered=1, dropped={"invalid": 2}
    ... )
    >>> stats.dropped_total
    2
    """

    reported: int
    """Events handed to the reporter."""

    delivered: int
    """Events the brokers have acknowledged."""

    failed: int
    """Events that Kafka refused, or did not take in ``message.timeout.ms``."""

    buffered: int
    """Events still waiting in this process."""

    dropped: Mapping[str, int]
    """Events given up, by `DropReason`; a reason that never occurred is absent."""

    @property
    def dropped_total(self) -> int:
        """Events given up for any reason."""
        return sum(self.dropped.values())
