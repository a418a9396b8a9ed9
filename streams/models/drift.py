"""Drift of a share over hours, by River's ADWIN.

ADWIN (Bifet and Gavaldà 2007) keeps a window of adaptive length and cuts it where two
parts have different means. It needs no idea of what share is normal, so it sees a move
between models that were both in use before. It runs anew over the remembered hours at
each look, so the outcome is a function of them and needs no pickled detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

__all__ = ["share_drifted"]

USES_PER_HOUR: Final = 25
"""Uses of an hour that ADWIN is given, evenly spread: a move from 0 to 30 % shows in
the second hour, and 48 hours cost less than a millisecond."""

_CONFIDENCE: Final = 0.002
"""ADWIN's delta: its bound on the probability of a false cut."""


def share_drifted(shares: Sequence[tuple[int, float]]) -> bool:
    """Tell whether a share rose or fell, given [(uses, share)] by hour.

    >>> share_drifted([(25, 0.1)] * 48)
    False
    >>> share_drifted([(25, 0.1)] * 48 + [(25, 0.5)] * 3)
    True
    """
    # Loading it takes most of a second, which a worker that starts need not wait for.
    from river import drift  # noqa: PLC0415 - see above

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
