"""Copies of whole rows are those that numpy's indexing makes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.features.account_row import ACCOUNT_ROW
from streams.features.whole_rows import put_rows, take_rows


@given(st.integers(1, 9), st.lists(st.integers(0, 8), max_size=12), st.integers(0, 99))
def test_copies_are_those_of_indexing(count: int, drawn: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = ACCOUNT_ROW.itemsize
    rows = np.frombuffer(rng.bytes(count * size), ACCOUNT_ROW).copy()
    places = np.array([place % count for place in drawn], np.int64)
    assert take_rows(rows, places).tobytes() == rows[places].tobytes()
    values = np.frombuffer(rng.bytes(len(places) * size), ACCOUNT_ROW)
    other = rows.copy()
    put_rows(rows, places, values)
    other[places] = values
    assert rows.tobytes() == other.tobytes()


def test_rows_of_another_type_are_refused() -> None:
    with pytest.raises(TypeError, match="are none of"):
        put_rows(np.zeros(2, "u1, f8"), np.array([0]), np.zeros(1, "u1, f4"))
