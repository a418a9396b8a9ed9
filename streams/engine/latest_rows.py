"""Changelog rows that wait, of each key the latest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from streams.engine.row_block import RowBlock
from streams.features.key_table import SEED, KeyTable

__all__ = ["LatestRows"]

_SQUEEZED_FROM: Final = 1 << 16
"""Rows that replaced ones may be, before their memory is freed: some 10 MB."""


class LatestRows:
    """Rows in log order, of which the last of each key counts.

    Blocks are kept as they came; ``squeezed_from`` rows that were replaced, and half of
    all, are copied out of their blocks, so that a log of many repeats does not pile up.

    >>> from streams.engine.stage import Row
    >>> latest = LatestRows()
    >>> latest.add(RowBlock.of([Row(b"a", b"1"), Row(b"b", b"2"), Row(b"a", b"3")]))
    >>> [list(part) for part in latest.take()]
    [[Row(key=b'b', value=b'2'), Row(key=b'a', value=b'3')]]
    """

    def __init__(self, squeezed_from: int = _SQUEEZED_FROM) -> None:
        self._squeezed_from = squeezed_from
        self._clear()

    def _clear(self) -> None:
        self._parts: list[RowBlock] = []
        self._numbers = KeyTable()
        # By number of the key: the latest row, counted over all parts.
        self._latest = np.zeros(0, np.int64)
        self._count = 0

    def add(self, rows: RowBlock) -> None:
        """Take rows."""
        if not len(rows):
            return
        keys = rows.keys.hashes(SEED)
        numbers, _ = self._numbers.find_or_number(keys, len(self._numbers))
        if len(self._numbers) > len(self._latest):
            more = np.zeros(2 * len(self._numbers), np.int64)
            more[: len(self._latest)] = self._latest
            self._latest = more
        # Of a repeated index, the last is kept.
        self._latest[numbers] = self._count + np.arange(len(rows))
        self._parts.append(rows)
        self._count += len(rows)
        replaced = self._count - len(self._numbers)
        if replaced >= max(self._squeezed_from, self._count // 2):
            self._squeeze()

    def _squeeze(self) -> None:
        kept = [part.copy() for part in self.take()]
        for part in kept:
            self.add(part)

    def take(self) -> Iterator[RowBlock]:
        """Give the latest row of each key, in log order, and forget all."""
        parts, latest = self._parts, np.sort(self._latest[: len(self._numbers)])
        self._clear()
        begin = 0
        for part in parts:
            low, high = np.searchsorted(latest, (begin, begin + len(part)))
            if high > low:
                yield part.select(latest[low:high] - begin)
            begin += len(part)
