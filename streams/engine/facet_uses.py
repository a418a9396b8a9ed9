"""What the accounts stages tell of facets, read back as columns: uses and sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from streams.contracts.column_batch import Columns, read_columns
from streams.features.account_row import INFRASTRUCTURE_KINDS

__all__ = ["SUM_COLUMNS", "USE_COLUMNS", "FacetNews"]

_TEXTS: Final = ("account", "name", "model")

USE_COLUMNS: Final[Mapping[str, str]] = {
    "minute": "<i4",
    "owner": "<u8",
    "created": "<i4",
    "kind": "|u1",
    "facet": "<u8",
    "count": "<u4",
    "events": "<u4",
    "templated": "<u4",
    "likeness": "<i2",
    "markers": "<u4",
    **dict.fromkeys(INFRASTRUCTURE_KINDS, "<u8"),
    "fillings": "|u1",
}
"""Columns of uses as they travel, besides texts and ``exact``."""

SUM_COLUMNS: Final[Mapping[str, str]] = {
    "sum_minute": "<i4",
    "sum_kind": "|u1",
    "sum_facet": "<u8",
    "sum_events": "<u4",
    "sum_accounts": "<u4",
}
"""Columns of sums as they travel."""

Column = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class FacetNews:
    """Uses of facets by accounts, and sums of facets, as columns.

    ``texts`` are tables that the uses' columns ``account``, ``name`` and ``model`` have
    numbers of; ``exact`` has the fillings of all uses, in order.
    """

    uses: dict[str, Column]
    exact: npt.NDArray[np.uint64]
    texts: dict[str, list[str]]
    sums: dict[str, Column]

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload; raise `UndecodableRecord` on anything else."""
        return read_columns(payload, cls._of, "facet sums")

    @staticmethod
    def nothing() -> FacetNews:
        """Give columns without rows, always the same ones."""
        return _NOTHING

    @classmethod
    def _of(cls, columns: Columns) -> Self:
        uses = _typed(columns, USE_COLUMNS if "minute" in columns else {}, "minute")
        texts: dict[str, list[str]] = {name: [] for name in _TEXTS}
        exact = np.zeros(0, np.uint64)
        if uses:
            exact = _typed(columns, {"exact": "<u8"}, "exact")["exact"]
            if uses["fillings"].sum() != len(exact):
                raise ValueError("fillings")
            for name in _TEXTS:
                texts[name] = columns[name]
                numbers = _typed(columns, {f"{name}_number": "<u4"}, f"{name}_number")
                uses[name] = numbers[f"{name}_number"].astype(np.int64)
                if len(uses[name]) != len(uses["minute"]) or (
                    int(uses[name].max(initial=-1)) >= len(texts[name])
                ):
                    raise ValueError(name)
        else:
            uses = _nothing(USE_COLUMNS, _TEXTS)
        if "sum_minute" in columns:
            sums = _typed(columns, SUM_COLUMNS, "sum_minute")
        else:
            sums = _nothing(SUM_COLUMNS)
        return cls(uses, exact, texts, sums)

    def __bool__(self) -> bool:
        return bool(len(self.uses["minute"]) or len(self.sums["sum_minute"]))

    @cached_property
    def latest(self) -> int:
        """The latest minute of all rows, -1 without any."""
        minutes = (self.uses["minute"], self.sums["sum_minute"])
        return max(int(column.max(initial=-1)) for column in minutes)

    @cached_property
    def earliest(self) -> int:
        """The earliest minute; there must be a row."""
        minutes = (self.uses["minute"], self.sums["sum_minute"])
        return min(int(column.min()) for column in minutes if len(column))

    def split(self, minute: int) -> tuple[FacetNews, FacetNews]:
        """Part the rows up to ``minute``, inclusive, from the later ones."""
        uses, sums = self.uses["minute"], self.sums["sum_minute"]
        if self.latest <= minute:
            return self, self.nothing()
        if self.earliest > minute:
            return self.nothing(), self
        return (
            self.take(uses <= minute, sums <= minute),
            self.take(uses > minute, sums > minute),
        )

    def take(self, uses: Column, sums: Column) -> Self:
        """Take uses and sums by masks, or by positions."""
        if uses.dtype == bool:
            uses = np.flatnonzero(uses)
        counts = self.uses["fillings"].astype(np.int64)
        ends = np.cumsum(counts)
        kept = counts[uses]
        within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
        exact = self.exact[np.repeat((ends - counts)[uses], kept) + within]
        return replace(
            self,
            uses={name: column[uses] for name, column in self.uses.items()},
            exact=exact,
            sums={name: column[sums] for name, column in self.sums.items()},
        )

    def used_texts(self, name: str) -> tuple[list[str], Column]:
        """Give texts of a table, and which of them each use has.

        What is left of a batch may have a few rows, and still has all of its texts.
        """
        texts, numbers = self.texts[name], self.uses[name]
        if len(texts) <= len(numbers):
            return texts, numbers
        used, which = np.unique(numbers, return_inverse=True)
        return [texts[number] for number in used.tolist()], which

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Join parts in order; texts get one table."""
        if len(parts) == 1:
            return parts[0]
        texts: dict[str, list[str]] = {}
        numbers: dict[str, list[Column]] = {}
        for name in _TEXTS:
            table: dict[str, int] = {}
            numbers[name] = []
            for part in parts:
                used, which = part.used_texts(name)
                of_part = [table.setdefault(text, len(table)) for text in used]
                to_joined = np.array(of_part, np.int64)
                numbers[name].append(to_joined[which])
            texts[name] = list(table)
        uses = {
            name: np.concatenate(numbers.get(name) or [p.uses[name] for p in parts])
            for name in parts[0].uses
        }
        exact = np.concatenate([part.exact for part in parts])
        sums = {
            name: np.concatenate([part.sums[name] for part in parts])
            for name in SUM_COLUMNS
        }
        return cls(uses, exact, texts, sums)


def _typed(columns: Columns, types: Mapping[str, str], first: str) -> dict[str, Column]:
    """Take columns that must have these types, and as many rows as the first."""
    taken: dict[str, Column] = {}
    for name, type_ in types.items():
        column = columns[name]
        if column.dtype != np.dtype(type_) or len(column) != len(columns[first]):
            raise ValueError(name)
        taken[name] = column
    return taken


def _nothing(types: Mapping[str, str], texts: Sequence[str] = ()) -> dict[str, Column]:
    columns = {name: np.zeros(0, type_) for name, type_ in types.items()}
    return columns | {name: np.zeros(0, np.int64) for name in texts}


_NOTHING: Final = FacetNews._of({})  # noqa: SLF001  its own module's
