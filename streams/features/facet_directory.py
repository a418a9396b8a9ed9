"""Infrastructure facets that one partition has seen, and how many accounts used each.

A home network that a single account uses is never sent anywhere; only a facet that at
least two accounts of the partition share travels to the facets stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.stable_hash import stable_hash

__all__ = ["FacetDirectory", "facet_hash"]

_FIRST_CAPACITY: Final = 1024
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
        self._row_of: tuple[dict[str, int], ...] = tuple(
            {} for _ in INFRASTRUCTURE_KINDS
        )
        self.names: list[str] = []
        self.kinds = np.zeros(_FIRST_CAPACITY, np.uint8)
        self.hashes = np.zeros(_FIRST_CAPACITY, np.uint64)
        self.counts = np.zeros(_FIRST_CAPACITY, _PACKED)
        self._dirty = np.zeros(_FIRST_CAPACITY, bool)

    def __len__(self) -> int:
        return len(self.names)

    def numbers(
        self, kind: int, identifiers: Sequence[str | None]
    ) -> npt.NDArray[np.int64]:
        """Give the row number of each facet of one kind; -1 where there is none."""
        found = self._row_of[kind]
        result = np.array(
            [-1 if name is None else found.get(name, -2) for name in identifiers],
            np.int64,
        )
        for index in np.flatnonzero(result == -2).tolist():
            name = identifiers[index]
            if name is not None:  # -2 marks names only; this tells the type checker
                result[index] = self._number(kind, name)
        return result

    def hashes_of(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
        """Give the hashes of facets by row number; -1 gives 0.

        >>> FacetDirectory().hashes_of(np.array([[-1]])).tolist()
        [[0]]
        """
        hashes: npt.NDArray[np.uint64] = np.where(
            numbers >= 0, self.hashes[numbers], np.uint64(0)
        )
        return hashes

    def _number(self, kind: int, name: str) -> int:
        number = self._row_of[kind].get(name)
        if number is None:
            number = self._row_of[kind][name] = len(self.names)
            self.names.append(name)
            if number >= len(self.kinds):
                self._grow()
            self.kinds[number] = kind
            self.hashes[number] = facet_hash(INFRASTRUCTURE_KINDS[kind], name)
        return number

    def _grow(self) -> None:
        more = len(self.kinds)
        self.kinds = np.concatenate([self.kinds, np.zeros(more, np.uint8)])
        self.hashes = np.concatenate([self.hashes, np.zeros(more, np.uint64)])
        self.counts = np.concatenate([self.counts, np.zeros(more, _PACKED)])
        self._dirty = np.concatenate([self._dirty, np.zeros(more, bool)])

    def touch(self, numbers: npt.NDArray[np.int64]) -> None:
        """Mark rows as changed since the last flush."""
        self._dirty[numbers] = True

    def take_dirty(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield (kind, id, row bytes) of the changed rows and mark them clean."""
        for number in np.flatnonzero(self._dirty[: len(self.names)]).tolist():
            row = self.counts[number].tobytes()
            yield int(self.kinds[number]), self.names[number], row
        self._dirty[:] = False

    def restore(self, rows: Iterable[tuple[int, str, bytes]]) -> None:
        """Set rows from what `take_dirty` gave."""
        for kind, name, packed in rows:
            number = self._number(kind, name)
            self.counts[number] = np.frombuffer(packed, _PACKED)[0]
