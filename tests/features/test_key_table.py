"""A table of keys knows what a dict knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.features.key_table import KeyTable

_KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=60)


@given(st.lists(_KEYS, max_size=6), _KEYS)
def test_keys_are_found_as_in_a_dict(
    batches: list[list[int]], asked: list[int]
) -> None:
    table, known = KeyTable(), dict[int, int]()
    for batch in batches:
        fresh = [key for key in dict.fromkeys(batch) if key not in known]
        rows = np.arange(len(known), len(known) + len(fresh))
        table.insert(np.array(fresh, np.uint64), rows)
        known |= dict(zip(fresh, rows.tolist(), strict=True))
        asked += batch
    assert len(table) == len(known)
    expected = [known.get(key, -1) for key in asked]
    assert table.find(np.array(asked, np.uint64)).tolist() == expected
    kept = dict(list(known.items())[::2])
    table.replace(np.array([*kept], np.uint64), np.array([*kept.values()], np.int64))
    expected = [kept.get(key, -1) for key in asked]
    assert table.find(np.array(asked, np.uint64)).tolist() == expected


@pytest.mark.parametrize("step", [1, 2**40, 2**63 // 40_000])
def test_regular_keys_are_found(step: int) -> None:
    table = KeyTable()
    keys = np.arange(40_000, dtype=np.uint64) * np.uint64(step)
    for start in range(0, len(keys), 7_000):
        part = keys[start : start + 7_000]
        table.insert(part, np.arange(start, start + len(part)))
    assert np.array_equal(table.find(keys), np.arange(len(keys)))
    assert (
        not np.any(table.find(keys + np.uint64(step // 2 or 40_000)) >= 0) or step < 2
    )
