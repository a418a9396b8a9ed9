"""Counts of a view of actions, and how it stands with Kafka."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

__all__ = ["ViewState", "ViewStats"]

ViewState: TypeAlias = Literal["loading", "snapshot", "live", "closed"]
"""``loading``: nothing is known. ``snapshot``: the file's state, not yet the topic's.
``live``: the topic was read to its end at least once. ``closed``: it follows no more.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ViewStats:
    """Snapshot of a view's counts since it was made."""

    state: ViewState
    """How much is known."""

    subjects: int
    """Subjects held."""

    enforced: int
    """Of them in force."""

    received: int
    """Records read."""

    tombstones: int
    """Of them without a value."""

    allowlist: int
    """Entries of the allowlist that hold."""

    undecodable: int
    """Skipped: neither an Action nor a ControlEntry, or under another key."""

    last_undecodable: str
    """Place of the last one skipped, ``topic[partition]@offset``; empty: none."""

    ignored: int
    """Actions with a lower sequence than known, and repeats."""

    dropped: int
    """Actions of subjects for which there was no room under ``max_subjects``."""

    failures: int
    """Rounds of the view's thread that failed and were tried again."""

    silent_for: float
    """Seconds since the leaders of the topic were heard; infinite: never."""

    latencies: tuple[float, ...]
    """Seconds from a decision's event time to its enforcement here, the last 1,000."""
