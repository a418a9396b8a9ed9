"""How many bytes each row of a frame takes in Avro, without encoding it.

A container's block holds its datums without telling where one ends. Read as columns,
their sizes follow from the values, as every usual encoder writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.contracts.walk import Step

__all__ = ["encoded_sizes"]

_Ints = npt.NDArray[np.int64]

_GROUP_BITS: Final = 7
_LONGEST_VARINT: Final = 10
_FIXED_SIZES: Final = {"double": 8, "float": 4, "boolean": 1, "null": 0}
_BLOCK_END: Final = 1
"""Bytes: the zero behind the items of an array."""


def encoded_sizes(frame: pl.DataFrame, steps: Sequence[Step]) -> _Ints:
    """Give the bytes of each row; ``frame`` has the columns of the steps, in order.

    >>> frame = pl.DataFrame({"name": ["ab", "c"], "count": [1, 64]})
    >>> encoded_sizes(frame, (Step("string"), Step("long"))).tolist()
    [4, 4]
    """
    sizes = np.zeros(frame.height, dtype=np.int64)
    for step, column in zip(steps, frame.get_columns(), strict=True):
        if step.null_index is None:
            sizes += _sizes(step.kind, column)
        else:
            present = column.is_not_null().to_numpy()
            sizes += 1
            sizes[present] += _sizes(step.kind, column.drop_nulls())
    return sizes


def _sizes(kind: str, column: pl.Series) -> _Ints | int:
    match kind:
        case "string":
            return _with_length(column.str.len_bytes())
        case "bytes":
            return _with_length(column.bin.size())
        case "array":
            return _array_sizes(column)
        case "long" | "int" | "enum":
            value = column.to_numpy().astype(np.int64)
            return _varint_sizes((value << 1 ^ value >> 63).view(np.uint64))
    return _FIXED_SIZES[kind]


def _with_length(lengths: pl.Series) -> _Ints:
    length = lengths.to_numpy().astype(np.int64)
    return length + _varint_sizes((length << 1).view(np.uint64))


def _varint_sizes(codes: npt.NDArray[np.uint64]) -> _Ints:
    sizes = np.ones(len(codes), dtype=np.int64)
    largest = int(codes.max(initial=0))
    for groups in range(1, _LONGEST_VARINT):
        limit = 1 << _GROUP_BITS * groups
        if largest < limit:
            break
        sizes += codes >= np.uint64(limit)
    return sizes


def _array_sizes(column: pl.Series) -> _Ints:
    counts = column.list.len().to_numpy().astype(np.int64)
    # Each item's size goes to its row by differences of a running sum.
    items = column.filter(column.list.len() > 0).explode()
    running = np.concatenate([[0], np.cumsum(_with_length(items.str.len_bytes()))])
    ends = np.cumsum(counts)
    sizes = running[ends] - running[ends - counts] + _BLOCK_END
    filled = counts > 0
    sizes[filled] += _varint_sizes((counts[filled] << 1).view(np.uint64))
    return np.asarray(sizes, dtype=np.int64)
