"""Rows of a structured array, copied as bytes.

Numpy's indexing copies a structured row field by field, which takes thirty times as
long as copying its bytes: 2,200 instructions for an account's row instead of 80.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["add_removed", "put_rows", "row_bytes", "take_rows"]

Rows = npt.NDArray[Any]


def take_rows(rows: Rows, places: npt.NDArray[np.int64]) -> Rows:
    """Copy the rows at some places, as ``rows[places]`` does.

    >>> take_rows(np.array([(1, 2.0), (3, 4.0)], "u1, f8"), np.array([1, 1])).tolist()
    [(3, 4.0), (3, 4.0)]
    """
    return rows.take(places)


def row_bytes(rows: Rows) -> list[bytes]:
    r"""Give each row's bytes; slices of all of them would take seven times as long.

    >>> row_bytes(np.array([(1, 2), (3, 4)], "u1, <u2"))
    [b'\x01\x02\x00', b'\x03\x04\x00']
    """
    raw = np.dtype((np.void, rows.dtype.itemsize))
    found: list[bytes] = np.ascontiguousarray(rows).view(raw).tolist()
    return found


def put_rows(rows: Rows, places: npt.NDArray[np.int64], values: Rows) -> None:
    """Set the rows at some places, of the same type, as ``rows[places] = values`` does.

    >>> rows = np.zeros(2, "u1, f8")
    >>> put_rows(rows, np.array([1]), np.array([(3, 4.0)], rows.dtype))
    >>> rows.tolist()
    [(0, 0.0), (3, 4.0)]
    """
    if values.dtype != rows.dtype:
        raise TypeError(f"rows of {values.dtype} are none of {rows.dtype}")
    raw = np.dtype((np.void, rows.dtype.itemsize))
    rows.view(raw)[places] = np.ascontiguousarray(values).view(raw)


def add_removed(
    keys: list[bytes], rows: list[bytes | None], gone: Iterable[bytes]
) -> None:
    """Add the keys of removed rows, in order, but for those that came back.

    >>> keys, rows = [b"b"], [b"1"]
    >>> add_removed(keys, rows, {b"c", b"b", b"a"})
    >>> keys, rows
    ([b'b', b'a', b'c'], [b'1', None, None])
    """
    left = sorted({*gone}.difference(keys))
    keys += left
    rows += [None] * len(left)
