"""The probes of `streams.features.key_table`, key by key, as compiled loops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit

__all__ = ["find_loop", "number_loop", "put_loop"]

_Keys = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.int64]
_Table = npt.NDArray[np.int32]


@jit
def find_loop(
    keys: _Keys,
    table: _Keys,
    rows: _Table,
    mix: np.uint64,
    shift: np.uint64,
    out: _Rows,
) -> int:
    """Put the row of each key to ``out``, -1 where it is not known; count those."""
    mask = len(table) - 1
    unknown = 0
    for number in range(len(keys)):
        key = keys[number]
        at = np.int64((key * mix) >> shift)
        step = 0
        while rows[at] >= 0 and table[at] != key:
            step += 1
            at = (at + step) & mask
        out[number] = rows[at]
        unknown += rows[at] < 0
    return unknown


@jit
def number_loop(
    keys: _Keys,
    table: _Keys,
    rows: _Table,
    mix: np.uint64,
    shift: np.uint64,
    known: int,
    out: _Rows,
    first: _Rows,
) -> int:
    """Give numbers to keys whose row is -1 in ``out``, as they first occur.

    Numbers go on from ``known``. Puts the place of each new key to ``first`` and gives
    how many they are. The table must have room.
    """
    mask = len(table) - 1
    new = 0
    for number in range(len(keys)):
        if out[number] >= 0:
            continue
        key = keys[number]
        at = np.int64((key * mix) >> shift)
        step = 0
        while rows[at] >= 0 and table[at] != key:
            step += 1
            at = (at + step) & mask
        if rows[at] < 0:
            table[at] = key
            rows[at] = known + new
            first[new] = number
            new += 1
        out[number] = rows[at]
    return new


@jit
def put_loop(
    keys: _Keys,
    values: _Table,
    table: _Keys,
    rows: _Table,
    mix: np.uint64,
    shift: np.uint64,
) -> None:
    """Add distinct keys that are not known, with their rows; there must be room."""
    mask = len(table) - 1
    for number in range(len(keys)):
        at = np.int64((keys[number] * mix) >> shift)
        step = 0
        while rows[at] >= 0:
            step += 1
            at = (at + step) & mask
        table[at] = keys[number]
        rows[at] = values[number]
