"""What waits for what, and for how long, on the way to an action.

The broker holds its answers back, the first stage is flushed by the clock, and a later
one a hop after what came to it. A worker that is far behind lets a flush pass, too.
A larger flush costs less per record: an account's row is written once for all its
events, and the engine has larger columns. What is far behind waits for longer anyhow.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HOP", "FlushRule", "longest_poll"]

HOP: Final = 0.01
"""Seconds from what comes first to a later stage, to its flush: what several partitions
of the stage before have sent comes in one answer of the broker, or close behind it."""

# More answers of the broker would cost more than they would gain: a chunk costs some
# 0.5 ms, whatever is in it.
_ANSWERS = 10  # in a flush interval, at least
_SHORTEST_POLL = 0.02  # s

_WORTHWHILE = 50_000  # records; half a second's work of a fast worker
_MOST_PASSED_OVER = 3  # intervals in a row, so that offsets move on all the same


def longest_poll(flush_interval: float) -> float:
    """Give the seconds for which the broker may wait for more records.

    >>> longest_poll(0.5), longest_poll(0.05)
    (0.05, 0.02)
    """
    return max(flush_interval / _ANSWERS, _SHORTEST_POLL)


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
