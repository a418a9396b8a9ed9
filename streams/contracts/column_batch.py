"""Columns of numbers and strings as one MessagePack payload of an internal record.

What stages send each other are batches of a few thousand rows; as columns they cost a
fraction of a microsecond a row. Numbers travel as little-endian arrays with their
numpy type, strings as a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from streams.errors import UndecodableRecord

__all__ = ["Columns", "pack_columns", "read_columns", "unpack_columns"]

Columns = dict[str, Any]
"""Column name to a one-dimensional numpy array or a list of strings."""

ReadT = TypeVar("ReadT")

_ALLOWED_TYPES = frozenset(
    {"|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8"}
)


def pack_columns(columns: Mapping[str, npt.NDArray[Any] | list[str]]) -> bytes:
    """Encode columns.

    >>> packed = pack_columns({"n": np.array([1, 2], "<u4"), "name": ["a", "b"]})
    >>> len(packed), unpack_columns(packed)["n"].tolist()
    (28, [1, 2])
    """
    wire: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            little, code = _little(column.dtype)
            wire[name] = (code, column.astype(little, copy=False).tobytes())
        else:
            wire[name] = column
    return msgspec.msgpack.encode(wire)


def unpack_columns(payload: bytes) -> Columns:
    """Decode what `pack_columns` made; raise `UndecodableRecord` on anything else."""
    try:
        wire = msgspec.msgpack.decode(payload, type=dict[str, list[Any]])
        return {name: _column(packed) for name, packed in wire.items()}
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise UndecodableRecord(
            "the payload is not a batch of columns: was the record written by another "
            "version of distillwatch?"
        ) from error


def read_columns(payload: bytes, make: Callable[[Columns], ReadT], what: str) -> ReadT:
    """Make something of a payload's columns; raise `UndecodableRecord` on others.

    ``what`` names the columns that ``make`` looks for.
    """
    columns = unpack_columns(payload)
    try:
        return make(columns)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UndecodableRecord(
            f"the payload does not hold the columns of {what}: was the record written "
            f"by another version of distillwatch?"
        ) from error


@lru_cache(maxsize=64)  # there are ten types
def _little(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], str]:
    """Give a type as it travels, and its name."""
    little = dtype.newbyteorder("<")
    return little, little.str


def _column(packed: list[Any]) -> npt.NDArray[Any] | list[str]:
    is_array = len(packed) == 2 and isinstance(packed[1], bytes)
    if not is_array:
        return packed
    if packed[0] not in _ALLOWED_TYPES:
        raise ValueError("unknown column type")
    return np.frombuffer(packed[1], packed[0])
