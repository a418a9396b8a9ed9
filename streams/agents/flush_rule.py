"""When a worker that is far behind lets a flush pass, to flush more at once.

A larger flush costs less per record: an account's row is written once for all its
events, and the engine has larger columns. What is far behind waits for longer anyhow.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HOPS", "FlushRule"]

HOPS: Final = 10
"""Turns of stages that fit into a flush interval: 50 ms each by default, time enough
for what one stage has sent to be fetched and taken by the next."""

_WORTHWHILE = 50_000  # records; half a second's work of a fast worker
_MOST_PASSED_OVER = 3  # intervals in a row, so that offsets move on all the same


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
