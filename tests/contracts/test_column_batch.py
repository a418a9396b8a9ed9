"""Columns come back as they went in, and anything else is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nst

from streams.contracts.column_batch import pack_columns, unpack_columns
from streams.errors import UndecodableRecord

_TYPES = ("u1", "i1", "<u2", ">i2", "<u4", ">i4", "<u8", ">i8", "<f4", ">f8")
_ARRAYS = st.sampled_from(_TYPES).flatmap(
    lambda dtype: nst.arrays(dtype, st.integers(0, 9))
)
_TEXTS = st.lists(st.text(max_size=5), max_size=5)


@given(st.dictionaries(st.text(max_size=5), _ARRAYS | _TEXTS, max_size=4))
def test_round_trip(columns: dict[str, npt.NDArray[Any] | list[str]]) -> None:
    packed = pack_columns(columns)
    again = unpack_columns(packed)
    assert list(again) == list(columns)
    for name, column in columns.items():
        if isinstance(column, list):
            assert again[name] == column
        else:
            np.testing.assert_array_equal(again[name], column)
            assert again[name].dtype == column.dtype.newbyteorder("<")


def test_a_strided_column_is_packed_as_it_reads() -> None:
    column = np.arange(10, dtype="<u4")[::3]
    assert unpack_columns(pack_columns({"n": column}))["n"].tolist() == [0, 3, 6, 9]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode({"n": 3}),
        msgspec.msgpack.encode({"n": ("|O", b"\0" * 8)}),
        msgspec.msgpack.encode({"n": ("<u4", b"\0" * 7)}),
        msgspec.msgpack.encode({"n": (7, b"\0" * 7)}),
        msgspec.msgpack.encode({"n": ([], b"\0")}),
    ],
    ids=["empty", "cut", "list", "number", "object", "odd", "type", "unhashable"],
)
def test_anything_else_is_refused(payload: bytes) -> None:
    with pytest.raises(UndecodableRecord, match="not a batch of columns"):
        unpack_columns(payload)


@given(st.binary(max_size=40))
def test_random_bytes_are_refused_or_read(payload: bytes) -> None:
    try:
        columns = unpack_columns(payload)
    except UndecodableRecord:
        return
    assert all(isinstance(c, list | np.ndarray) for c in columns.values())
