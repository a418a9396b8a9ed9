"""Sketches of a whole chunk as numpy columns, without a loop in Python."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streams.sketch.layout import (
    SKETCH_BYTES,
    SKETCH_DTYPE,
    SKETCH_VERSION,
)

__all__ = ["SketchColumns", "sketch_columns", "sketch_matrix"]

# Odd constants of the SplitMix64 finaliser (Steele, Lea, Flood 2014). Public: what
# they mix is keyed already.
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class SketchColumns(NamedTuple):
    """Columns of n sketches; in hashes 0 means absent."""

    version: NDArray[np.uint8]
    key_epoch: NDArray[np.uint8]
    markers: NDArray[np.uint32]
    ratios: NDArray[np.uint8]  # (n, 10), in the order of layout.RATIOS
    system: NDArray[np.uint64]
    head: NDArray[np.uint64]
    tail: NDArray[np.uint64]
    band0: NDArray[np.uint64]  # the first 8 minhash slots, mixed
    band1: NDArray[np.uint64]  # the last 8
    exact: NDArray[np.uint64]
    tools: NDArray[np.uint64]


def sketch_columns(matrix: NDArray[np.uint8]) -> SketchColumns:
    """Read the columns of a matrix of shape (n, 88), one sketch a row.

    Columns are views of the matrix, but for the bands; a row of zeros (see
    `sketch_matrix`) reads as absent in every column.

    >>> columns = sketch_columns(np.zeros((2, 88), dtype=np.uint8))
    >>> columns.head.tolist(), columns.ratios.shape
    ([0, 0], (2, 10))
    """
    rows = np.ascontiguousarray(matrix, dtype=np.uint8)
    records = rows.reshape(-1, SKETCH_BYTES).view(SKETCH_DTYPE)[:, 0]
    words = np.ascontiguousarray(records["minhash"]).view("<u8")
    half = words.shape[1] // 2
    return SketchColumns(
        version=records["version"],
        key_epoch=records["key_epoch"],
        markers=records["markers"],
        ratios=records["ratios"],
        system=records["system"],
        head=records["head"],
        tail=records["tail"],
        band0=_band(words[:, :half]),
        band1=_band(words[:, half:]),
        exact=records["exact"],
        tools=records["tools"],
    )


def _band(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the slots of a band, two words of four, into one nonzero word."""
    mixed = words[:, 0] * _MIX_1
    mixed ^= mixed >> np.uint64(31)
    mixed += words[:, 1]
    mixed *= _MIX_2
    mixed ^= mixed >> np.uint64(32)
    present = words.any(axis=1)
    np.maximum(mixed, np.uint64(1), out=mixed)
    mixed[~present] = 0
    return mixed


def sketch_matrix(values: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Make the matrix (n, 88) of a Binary column, and tell which rows are valid.

    Null, another size and another layout version are not valid; their rows are zeros.

    >>> matrix, valid = sketch_matrix(pl.Series([None, b"short"], dtype=pl.Binary))
    >>> matrix.shape, valid.tolist()
    ((2, 88), [False, False])
    """
    right_size = (values.bin.size() == SKETCH_BYTES).fill_null(value=False)
    valid = right_size.to_numpy().copy()
    matrix = np.zeros((len(values), SKETCH_BYTES), dtype=np.uint8)
    joined = b"".join(values.filter(right_size).to_list())
    matrix[valid] = np.frombuffer(joined, dtype=np.uint8).reshape(-1, SKETCH_BYTES)
    other_version = valid & (matrix[:, 0] != SKETCH_VERSION)
    if other_version.any():
        valid[other_version] = False
        matrix[other_version] = 0
    return matrix, valid
