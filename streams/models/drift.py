"""Drift of a facet's model mix: River's ADWIN over the uses of its closed hours.

ADWIN (Bifet and Gavaldà 2007) keeps a window of adaptive length and cuts it where two
parts have different means. It runs anew over the remembered hours at each look, so
the outcome is a function of the facet's state and needs no pickled detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from river import drift

__all__ = ["REMEMBERED_HOURS", "pivot_model", "share_drifted"]

REMEMBERED_HOURS: Final = 96
"""Hours a facet remembers: four days show a daily rhythm as a rhythm."""

USES_PER_HOUR: Final = 25
"""Uses of an hour that ADWIN is given, evenly spread: a move from 0 to 30 % shows in
the second hour, and 96 hours cost less than a millisecond."""

_CONFIDENCE: Final = 0.002
"""ADWIN's delta: its bound on the probability of a false cut."""

_PIVOT_SHARE: Final = 0.2
"""Share of the last hours' uses that a new model needs to be called a pivot."""

_RARE_SHARE: Final = 0.05
"""Share of the earlier uses below which a model counts as new to a facet."""

_RECENT_HOURS: Final = 3
_MINIMUM_USES: Final = 20

Hours = Sequence[tuple[int, dict[str, int]]]


def share_drifted(shares: Sequence[tuple[int, float]]) -> bool:
    """Tell whether a share rose or fell, given [(uses, share)] by hour.

    >>> share_drifted([(25, 0.1)] * 48)
    False
    >>> share_drifted([(25, 0.1)] * 48 + [(25, 0.5)] * 3)
    True
    """
    detector: Any = drift.ADWIN(delta=_CONFIDENCE, clock=1)  # type: ignore[no-untyped-call]
    for indicator in _indicators(shares):
        detector.update(indicator)
        if detector.drift_detected:
            return True
    return False


def _indicators(shares: Sequence[tuple[int, float]]) -> Iterator[float]:
    """Turn shares into evenly spread zeros and ones (Bresenham's way)."""
    owed = 0.0
    for uses, share in shares:
        for _ in range(min(uses, USES_PER_HOUR)):
            owed += share
            one = owed >= 0.5
            owed -= one
            yield float(one)


def pivot_model(hours: Hours) -> str:
    """Name the model that a facet's traffic has moved to, or give an empty string.

    ``hours`` are [hour, {model: uses}], oldest first. A pivot is a drift in the share
    of a model that was rare before and now has a fifth of the uses.
    """
    recent = _mix(hours[-_RECENT_HOURS:])
    total = sum(recent.values())
    if total < _MINIMUM_USES:
        return ""
    older = _mix(hours[:-_RECENT_HOURS])
    older_total = sum(older.values())
    if older_total < _MINIMUM_USES:
        return ""
    for model in sorted(recent):
        is_new = older.get(model, 0) / older_total < _RARE_SHARE
        if not is_new or recent[model] / total < _PIVOT_SHARE:
            continue
        shares = [
            (uses, models.get(model, 0) / uses)
            for _, models in hours
            if (uses := sum(models.values()))
        ]
        if share_drifted(shares):
            return model
    return ""


def _mix(hours: Hours) -> dict[str, int]:
    mix: dict[str, int] = {}
    for _, models in hours:
        for model, uses in models.items():
            mix[model] = mix.get(model, 0) + uses
    return mix
