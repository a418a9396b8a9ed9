"""Infrastructure facets that one partition has seen, and how many accounts used each.

A home network that a single account uses is never sent anywhere; only a facet that at
least two accounts of the partition share travels to the facets stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import add
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts.byte_column import ByteColumn
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.key_table import SEED, KeyTable
from streams.features.segments import last_of_each
from streams.features.stable_hash import stable_hash, stable_hashes
from streams.features.text_arena import TextArena
from streams.features.whole_rows import add_removed, put_rows, row_bytes, take_rows
from streams.features.zero_pages import zero_pages

__all__ = ["FacetDirectory", "facet_hash"]

_FIRST_CAPACITY: Final = 1024
_KIND_BYTES: Final = [bytes([kind]) for kind in range(len(INFRASTRUCTURE_KINDS))]
_PACKED = np.dtype(
    [
        ("accounts", "<u4"),  # distinct accounts seen
        ("sent", "<u4"),  # of which the facets stage has been told
        ("hour", "<i4"),  # the last hour in which the facet was used
        ("events", "<u4"),  # uses of which the facets stage has not been told
    ]
)


def facet_hash(kind: str, identifier: str) -> int:
    """Hash a facet to 64 bits, the same in every process and version.

    >>> facet_hash("network", "n1") == facet_hash("payment", "n1")
    False
    """
    return stable_hash(f"{kind}:{identifier}")


class FacetDirectory:
    """(kind, id) to a row number, with columns of hash, kind and account counts."""

    def __init__(self) -> None:
        self.texts = TextArena()
        self.kinds = np.zeros(_FIRST_CAPACITY, np.uint8)
        self.hashes = np.zeros(_FIRST_CAPACITY, np.uint64)
        self.counts = np.zeros(_FIRST_CAPACITY, _PACKED)
        self._dirty = np.zeros(_FIRST_CAPACITY, bool)
        self._numbers = KeyTable()
        self._gone: set[tuple[int, str]] = set()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def names(self) -> list[str]:
        """The ids of all facets, in the order of their rows."""
        return self.texts.texts(np.arange(len(self)))

    def numbers(
        self, kind: int, identifiers: Sequence[str | None]
    ) -> npt.NDArray[np.int64]:
        """Give the row number of each facet of one kind; -1 where there is none."""
        return self.numbers_of(kind, ByteColumn.of(identifiers))

    def numbers_of(self, kind: int, identifiers: ByteColumn) -> npt.NDArray[np.int64]:
        """Give the row number of each facet of a column, as `numbers` does."""
        numbers = np.full(len(identifiers.at), -1, np.int64)
        present = np.flatnonzero(identifiers.present)
        if len(present) < len(numbers):
            identifiers = identifiers.select(present)
        keys = identifiers.hashes(SEED + kind)
        numbers[present], new = self._numbers.find_or_number(keys, len(self))
        if len(new):
            self._add(kind, identifiers.select(new))
        return numbers

    def _add(self, kind: int, identifiers: ByteColumn) -> None:
        known = len(self)
        self.texts.append(identifiers)
        if len(self) > len(self.kinds):
            self._grow(2 * len(self))
        added = np.arange(known, len(self))
        self.kinds[added] = kind
        self.counts[added] = np.zeros(1, _PACKED)
        prefix = f"{INFRASTRUCTURE_KINDS[kind]}:".encode()
        self.hashes[added] = stable_hashes(self.texts.column(added), prefix=prefix)

    def hashes_of(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
        """Give the hashes of facets by row number; -1 gives 0.

        >>> FacetDirectory().hashes_of(np.array([[-1]])).tolist()
        [[0]]
        """
        hashes: npt.NDArray[np.uint64] = np.where(
            numbers >= 0, self.hashes[numbers], np.uint64(0)
        )
        return hashes

    def _grow(self, capacity: int) -> None:
        size = min(len(self.kinds), capacity)
        for name in ("kinds", "hashes", "counts", "_dirty"):
            old = getattr(self, name)
            new = zero_pages(capacity, old.dtype)
            new[:size] = old[:size]
            setattr(self, name, new)

    def forget(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Remove facets; give the new number of every old one, -1 for the removed."""
        kept = np.ones(len(self), bool)
        kept[numbers] = False
        kinds = self.kinds[numbers].tolist()
        self._gone.update(zip(kinds, self.texts.texts(numbers), strict=True))
        stay = np.flatnonzero(kept)
        moved = np.full(len(self), -1, np.int64)
        moved[stay] = np.arange(len(stay))
        for name in ("kinds", "hashes", "counts", "_dirty"):
            setattr(self, name, getattr(self, name)[stay])
        self.texts.keep(stay)
        self._grow(max(len(stay), _FIRST_CAPACITY))
        self._numbers.renumber(moved)
        return moved

    def clear(self, numbers: npt.NDArray[np.int64]) -> None:
        """Let facets start afresh, whose rows are still asked for."""
        self.counts[numbers] = np.zeros(1, _PACKED)
        kinds = self.kinds[numbers].tolist()
        self._gone.update(zip(kinds, self.texts.texts(numbers), strict=True))
        self._dirty[numbers] = False

    def touch(self, numbers: npt.NDArray[np.int64]) -> None:
        """Mark rows as changed since the last flush."""
        self._dirty[numbers] = True

    def take_dirty(self) -> tuple[list[bytes], list[bytes | None]]:
        """Give keys and bytes of the changed rows, and mark them clean; None: removed.

        A key is the kind, in a byte, and the name in UTF-8.
        """
        numbers = np.flatnonzero(self._dirty[: len(self)])
        self._dirty[numbers] = False
        kinds = map(_KIND_BYTES.__getitem__, self.kinds[numbers].tolist())
        keys = list(map(add, kinds, self.texts.values(numbers)))
        found: list[bytes | None] = [*row_bytes(take_rows(self.counts, numbers))]
        if self._gone:
            gone = (_KIND_BYTES[kind] + name.encode() for kind, name in self._gone)
            add_removed(keys, found, gone)
            self._gone.clear()
        return keys, found

    def restore(self, kind: int, identifiers: ByteColumn, packed: ByteColumn) -> None:
        """Set the rows of one kind from what `take_dirty` gave.

        Of several rows of a facet the last one counts.
        """
        if not len(packed.at):
            return
        numbers, present = self.numbers_of(kind, identifiers), packed.present
        gone = numbers[:0]
        if not present.all():
            final = last_of_each(numbers, len(self))
            gone, numbers = numbers[final & ~present], numbers[final & present]
            packed = packed.select(final & present)
        table = packed.matrix(_PACKED.itemsize).view(_PACKED)[:, 0]
        put_rows(self.counts, numbers, table)
        if len(gone):
            self.forget(gone)
        self._gone.clear()
