"""Changelog rows by the thousand, as two columns instead of an object a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from streams.contracts.byte_column import ByteColumn
from streams.engine.stage import DirtyRows, Row

__all__ = ["RowBlock"]


class RowBlock:
    """Rows in log order; a value of size -1 deletes its key. Iterated, it gives `Row`.

    >>> block = RowBlock.of([Row(b"a1", b"x"), Row(b"b2", None)])
    >>> list(block.select(block.keys.begins_with(b"b")))
    [Row(key=b'b2', value=None)]
    """

    __slots__ = ("keys", "values")

    def __init__(self, keys: ByteColumn, values: ByteColumn) -> None:
        self.keys = keys
        self.values = values

    @classmethod
    def of(cls, rows: Iterable[Row]) -> RowBlock:
        """Make a block of rows; a block is given back as it is."""
        if isinstance(rows, RowBlock):
            return rows
        if not isinstance(rows, DirtyRows):
            rows = list(rows)
            rows = DirtyRows((row.key for row in rows), (row.value for row in rows))
        return cls(ByteColumn.of(rows.keys), ByteColumn.of(rows.values))

    def __len__(self) -> int:
        return len(self.keys.at)

    def __iter__(self) -> Iterator[Row]:
        for key, value in zip(self.keys.values(), self.values.values(), strict=True):
            yield Row(key or b"", value)

    def select(self, index: Any) -> RowBlock:
        """Take rows at ``index``: a mask, positions or a slice."""
        return RowBlock(self.keys.select(index), self.values.select(index))

    def copy(self) -> RowBlock:
        """Copy the rows out of the blocks of bytes that they lie in."""
        return RowBlock.of(list(self))
