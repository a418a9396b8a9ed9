"""Ids of many rows, back to back in one block of memory.

A Python string of 24 characters takes 80 bytes and a place in a list; here it takes
24 bytes and six for its place.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.byte_column import PADDING, ByteColumn
from streams.contracts.compiled import loops
from streams.features.zero_pages import zero_pages

__all__ = ["TextArena"]

_FIRST_BYTES: Final = 1 << 14
_FIRST_ROWS: Final = 1024

Rows = npt.NDArray[np.int64]


class TextArena:
    """Texts by row number, counted from 0.

    >>> arena = TextArena()
    >>> arena.append(ByteColumn.of(["a", "bc"]))
    >>> arena.texts(np.array([1, 0]))
    ['bc', 'a']
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._block = np.zeros(_FIRST_BYTES, np.uint8)
        self._at = np.zeros(_FIRST_ROWS, np.uint32)
        self._size = np.zeros(_FIRST_ROWS, np.uint16)
        self._end = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, texts: ByteColumn) -> None:
        """Add texts, none of which is null, as the next rows."""
        ends = self._end + np.cumsum(texts.size)
        count = self._count + len(texts.size)
        end = int(ends[-1]) if len(ends) else self._end
        if end + PADDING > len(self._block):
            self._block = _longer(self._block, 2 * end + PADDING)
        if count > len(self._at):
            self._at = _longer(self._at, 2 * count)
            self._size = _longer(self._size, 2 * count)
        self._at[self._count : count] = ends - texts.size
        self._size[self._count : count] = texts.size
        _copy(texts, self._block, self._end)
        self._end, self._count = end, count

    def column(self, rows: Rows) -> ByteColumn:
        """Give the texts of rows as a column; it shares the arena's memory."""
        size = self._size[rows].astype(np.int64)
        return ByteColumn(self._block, self._at[rows].astype(np.int64), size)

    def text(self, row: int) -> str:
        """Give the text of a row."""
        at, size = int(self._at[row]), int(self._size[row])
        return self._block[at : at + size].tobytes().decode()

    def texts(self, rows: Rows) -> list[str]:
        """Give the texts of rows."""
        return [value.decode() for value in self.values(rows)]

    def values(self, rows: Rows) -> list[bytes]:
        """Give the texts of rows in UTF-8."""
        texts = self.column(rows)
        ends = np.cumsum(texts.size)
        block = np.empty(int(texts.size.sum()), np.uint8)
        _copy(texts, block, 0)
        packed = block.tobytes()
        places = zip((ends - texts.size).tolist(), ends.tolist(), strict=True)
        return [packed[start:end] for start, end in places]

    def keep(self, rows: Rows) -> None:
        """Keep only these rows, in this order; the memory of the others is freed."""
        kept = self.column(rows)
        self._clear()
        self.append(kept)


def _copy(texts: ByteColumn, block: npt.NDArray[np.uint8], begin: int) -> None:
    """Copy texts back to back into a block, from ``begin`` on."""
    if loops():
        from streams.features.text_loops import copy_loop  # noqa: PLC0415  numba

        copy_loop(texts.block, texts.at, texts.size, block, begin)
        return
    total = int(texts.size.sum())
    within = np.arange(total) - np.repeat(
        np.cumsum(texts.size) - texts.size, texts.size
    )
    source = np.repeat(texts.at, texts.size) + within
    block[begin : begin + total] = texts.block[source]


def _longer(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    longer = zero_pages(size, array.dtype)
    longer[: len(array)] = array
    return longer
