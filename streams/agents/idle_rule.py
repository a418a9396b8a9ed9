"""When a partition without records counts as closed.

A minute closes on a partition when a record of a later minute arrives there. A
partition without traffic would hold everybody back; so one that has been read to its
end and has been silent for ``idle_timeout`` is closed up to the minute before the one
that the others had reached *when the silence was that long ago*. What arrives later
than that is late by at least ``idle_timeout``. A dead worker's partitions are closed by
nobody: they are not read to their end by a live owner.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["WatermarkHistory"]


class WatermarkHistory:
    """The highest open minute, now and some seconds ago.

    >>> history = WatermarkHistory(5.0)
    >>> history.note(100.0, [7, None])
    >>> history.note(104.0, [9])
    >>> history.before(105.0), history.before(104.9)
    (7, None)
    """

    def __init__(self, age: float) -> None:
        self._age = age
        self._noted: deque[tuple[float, int]] = deque()

    def note(self, now: float, open_minutes: Iterable[int | None]) -> None:
        """Take note of the open minutes at ``now``, in seconds of any steady clock."""
        known = [minute for minute in open_minutes if minute is not None]
        if known and (not self._noted or max(known) > self._noted[-1][1]):
            self._noted.append((now, max(known)))
        while len(self._noted) > 1 and self._noted[1][0] <= now - self._age:
            self._noted.popleft()

    def before(self, now: float) -> int | None:
        """Return the highest open minute as it was ``age`` seconds before ``now``."""
        minute = None
        for at, reached in self._noted:
            if at > now - self._age:
                break
            minute = reached
        return minute

    def clear(self) -> None:
        """Forget: after a rebalance other partitions are here."""
        self._noted.clear()
