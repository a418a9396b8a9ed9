"""Changelog rows on recovery: held back until a marker makes them valid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from streams.engine.row_block import RowBlock
from streams.engine.stage import Row

__all__ = ["MARKER", "Flush", "MarkedRows"]

MARKER: Final = b"\x00marker"
"""Key of the last row of every flush; no other row's key begins with a zero byte."""


class Flush(NamedTuple):
    """One whole flush, or several, and the value of the last marker.

    ``parts`` are its rows, in the blocks that they came in.
    """

    parts: list[RowBlock]
    marker: bytes

    @property
    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        return chain.from_iterable(self.parts)


class MarkedRows:
    """Rows in log order, given out up to the last marker.

    >>> held = MarkedRows()
    >>> flushes = held.add([Row(b"a", b"1"), Row(MARKER, b"m"), Row(b"b", b"2")])
    >>> [(list(flush.rows), flush.marker) for flush in flushes]
    [([Row(key=b'a', value=b'1')], b'm')]
    """

    def __init__(self) -> None:
        self._held: list[RowBlock] = []

    def add(self, rows: Iterable[Row]) -> Iterator[Flush]:
        """Take rows; give all flushes that they complete as one, if there are any."""
        block = RowBlock.of(rows)
        marker = block.keys.begins_with(MARKER) & block.values.present
        ends = np.flatnonzero(marker)
        if not len(ends):
            if len(block):
                self._held.append(block)
            return
        last = int(ends[-1])
        whole = block.select(np.flatnonzero(~marker[:last]))
        value = block.values.value(last)
        held, self._held = self._held, []
        if last + 1 < len(block):
            self._held.append(block.select(slice(last + 1, None)))
        yield Flush([*held, whole], value or b"")

    def drop(self) -> None:
        """Drop rows behind the last marker: their flush was never completed."""
        self._held.clear()
