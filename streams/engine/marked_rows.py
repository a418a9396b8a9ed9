"""Changelog rows on recovery: held back until a marker makes them valid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from streams.engine.stage import Row

__all__ = ["MARKER", "Flush", "MarkedRows"]

MARKER: Final = b"\x00marker"
"""Key of the last row of every flush; no other row's key begins with a zero byte."""


class Flush(NamedTuple):
    """A whole flush: its rows, and the value of the marker behind them."""

    rows: list[Row]
    marker: bytes


class MarkedRows:
    """Rows in log order, given out flush by flush.

    >>> held = MarkedRows()
    >>> flushes = held.add([Row(b"a", b"1"), Row(MARKER, b"m"), Row(b"b", b"2")])
    >>> [flush.marker for flush in flushes]
    [b'm']
    """

    def __init__(self) -> None:
        self._held: list[Row] = []

    def add(self, rows: Iterable[Row]) -> Iterator[Flush]:
        """Take rows; give each flush that they complete."""
        for row in rows:
            if row.key == MARKER and row.value is not None:
                held, self._held = self._held, []
                yield Flush(held, row.value)
            else:
                self._held.append(row)

    def drop(self) -> None:
        """Drop rows behind the last marker: their flush was never completed."""
        self._held.clear()
