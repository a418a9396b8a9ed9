"""What waits for what, and for how long, on the way to an action.

The broker holds its answers back, and a stage is flushed a hop after what came to it;
the first one only when a minute has closed, and no oftener than once an interval in the
mean. A worker that is far behind lets a flush pass, too.
A larger flush costs less per record: an account's row is written once for all its
events, and the engine has larger columns. What is far behind waits for longer anyhow.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HOP", "FlushPace", "FlushRule", "longest_poll"]

HOP: Final = 0.01
"""Seconds from what comes first to a later stage, to its flush: what several partitions
of the stage before have sent comes in one answer of the broker, or close behind it."""

# More answers of the broker would cost more than they would gain: a chunk costs some
# 0.5 ms, whatever is in it.
_ANSWERS = 10  # in a flush interval, at least
_SHORTEST_POLL = 0.02  # s

_BURST = 8.0
"""Flushes that may follow each other at once after a rest: a minute closes on all
partitions of a worker within some milliseconds, and the last of them decides."""

_REST = 2.0  # times as long as a flush takes, from its begin to that of the next

_MOST_STRETCHED = 4.0  # intervals; larger flushes cost little more than their records

_WORTHWHILE = 50_000  # records; half a second's work of a fast worker
_MOST_PASSED_OVER = 3  # intervals in a row, so that offsets move on all the same


def longest_poll(flush_interval: float) -> float:
    """Give the seconds for which the broker may wait for more records.

    >>> longest_poll(0.5), longest_poll(0.05)
    (0.05, 0.02)
    """
    return max(flush_interval / _ANSWERS, _SHORTEST_POLL)


class FlushPace:
    """Keeps flushes an interval apart, with some at once after a rest (token bucket).

    What a flush costs beside its records is the same for few of them and for many. So
    the interval grows, up to fourfold, until flushes take no more than half of the
    time: a worker that did nothing else would fall behind, and an action would wait for
    longer.

    >>> pace = FlushPace(0.5)
    >>> waits = []
    >>> for _ in range(10):
    ...     waits.append(pace.wait(100.0))
    ...     pace.take(100.0)
    >>> waits[0], waits[7], waits[8]
    (0.0, 0.0, 0.5)
    """

    def __init__(self, interval: float) -> None:
        self._shortest = self._interval = interval
        self._saved = _BURST
        self._at = 0.0

    def _saved_at(self, now: float) -> float:
        return min(self._saved + (now - self._at) / self._interval, _BURST)

    def wait(self, now: float) -> float:
        """Give the seconds until a flush may begin."""
        return max(0.0, (1.0 - self._saved_at(now)) * self._interval)

    def take(self, now: float) -> None:
        """Take note of a flush that begins at ``now``, in seconds of a steady clock."""
        self._saved, self._at = max(self._saved_at(now) - 1.0, 0.0), now

    def took(self, seconds: float) -> None:
        """Take note of how long a flush took, with all that ran in between.

        >>> pace = FlushPace(0.05)
        >>> for _ in range(9):
        ...     pace.take(100.0)
        ...     pace.took(0.04)
        >>> round(pace.wait(100.0), 3)
        0.08
        """
        most = _MOST_STRETCHED * self._shortest
        self._interval = min(max(self._shortest, _REST * seconds), most)


class FlushRule:
    """Counts the flushes that were passed over.

    >>> rule = FlushRule()
    >>> [rule.is_due(unflushed=9_000, waiting=80_000) for _ in range(5)]
    [False, False, False, True, False]
    """

    def __init__(self) -> None:
        self._passed_over = 0

    def is_due(self, *, unflushed: int, waiting: int) -> bool:
        """Tell whether to flush at this turn.

        ``unflushed`` records were taken since the last flush, ``waiting`` ones are in
        the log behind them.
        """
        far_behind = waiting >= _WORTHWHILE > unflushed
        if far_behind and self._passed_over < _MOST_PASSED_OVER:
            self._passed_over += 1
            return False
        self._passed_over = 0
        return True
