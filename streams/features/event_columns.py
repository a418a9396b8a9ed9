"""The numeric columns of request events that the engine works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["EventColumns"]


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Events of one partition, in log order; every field has one row per event.

    ``minute`` is the event-time minute in which the event *counts*: its own, or the
    partition's open minute when it came late. ``slot`` and ``infrastructure`` are row
    numbers of the partition's account table and facet directory (-1: absent).
    ``templates`` (n, 5) and ``exact`` are keyed hashes from the sketch, 0 if absent;
    ``shared`` (n, 5) tells which templates the shared gate lets pass, once it has run.
    """

    offset: npt.NDArray[np.int64]
    minute: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int64]
    owner: npt.NDArray[np.uint64]
    created_minute: npt.NDArray[np.int64]
    refused: npt.NDArray[np.bool_]
    model: npt.NDArray[np.int64]
    tokens_in: npt.NDArray[np.int64]
    tokens_out: npt.NDArray[np.int64]
    tokens_reasoning: npt.NDArray[np.int64]
    markers: npt.NDArray[np.uint32]
    templates: npt.NDArray[np.uint64]
    exact: npt.NDArray[np.uint64]
    shared: npt.NDArray[np.bool_]
    infrastructure: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.offset.shape[0])

    def columns(self) -> Iterator[npt.NDArray[Any]]:
        """Give the columns in the order of the fields."""
        return (getattr(self, name) for name in _NAMES)

    def select(self, index: Any) -> Self:
        """Take the events at ``index``: a slice, a mask or positions."""
        if isinstance(index, slice):
            return type(self)(*(column[index] for column in self.columns()))
        if index.dtype == bool:
            index = np.flatnonzero(index)
        return type(self)(*(column.take(index, axis=0) for column in self.columns()))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join parts in order; at least one part is needed."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


_NAMES = tuple(field.name for field in fields(EventColumns))
