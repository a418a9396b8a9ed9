"""A table of keys knows what a dict knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.compiled import loops, plain_numpy
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


@given(st.lists(_KEYS, max_size=8), _KEYS, st.booleans())
def test_the_compiled_loops_number_keys_alike(
    batches: list[list[int]], asked: list[int], mixed: bool
) -> None:
    assert loops()
    table, plain = KeyTable(), KeyTable()
    for number, batch in enumerate(batches):
        keys = np.array(batch, np.uint64)
        with plain_numpy():
            rows, new = plain.find_or_number(keys, len(plain))
        if mixed and number % 2:  # what one has put, the other finds
            with plain_numpy():
                found, fresh = table.find_or_number(keys, len(table))
        else:
            found, fresh = table.find_or_number(keys, len(table))
        assert found.tolist() == rows.tolist()
        assert fresh.tolist() == new.tolist()
        assert len(table) == len(plain)
    sought = np.array([*asked, *(key for batch in batches for key in batch)], np.uint64)
    with plain_numpy():
        expected = plain.find(sought).tolist()
        assert table.find(sought).tolist() == expected
    assert table.find(sought).tolist() == expected
