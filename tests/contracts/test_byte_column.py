"""Columns of bytes give back what they were made of, and equal hashes for equals."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.byte_column import ByteColumn, LongColumn
from streams.contracts.compiled import loops, plain_numpy

_TEXTS = st.lists(st.none() | st.text(max_size=20), max_size=12)


@given(_TEXTS, st.data())
def test_values_come_back(texts: list[str | None], data: st.DataObject) -> None:
    column = ByteColumn.of(texts)
    assert column.texts() == texts
    assert column.present.tolist() == [text is not None for text in texts]
    index = data.draw(st.lists(st.sampled_from(range(len(texts))))) if texts else []
    taken = column.select(np.array(index, np.int64))
    assert taken.texts() == [texts[at] for at in index]
    joined = ByteColumn.concatenate([column, taken, column])
    assert joined.texts() == [*texts, *taken.texts(), *texts]


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(0, 2**62))
def test_hashes_are_those_of_the_values(values: list[bytes], seed: int) -> None:
    column = ByteColumn.of(values)
    hashes = column.hashes(seed).tolist()
    # Alone, elsewhere in memory, and beside values of other sizes.
    shifted = ByteColumn.of([b"?", *values, b"x" * 50]).hashes(seed).tolist()
    assert hashes == shifted[1:-1]
    assert hashes == [ByteColumn.of([v]).hashes(seed).tolist()[0] for v in values]
    assert len(set(hashes)) == len(set(values))
    seeds = [hashes, *(column.hashes(seed + by).tolist() for by in range(1, 4))]
    assert len({one for some in seeds for one in some}) == 4 * len(set(values))


@given(_TEXTS, st.integers(0, 2**62))
def test_the_compiled_loop_hashes_alike(texts: list[str | None], seed: int) -> None:
    column = ByteColumn.of(texts)
    assert loops()
    hashes = column.hashes(seed).tolist()
    with plain_numpy():
        assert hashes == column.hashes(seed).tolist()


def test_values_that_differ_in_one_bit_or_by_zeros_differ() -> None:
    values = [bytes(n) for n in range(40)]
    values += [bytes([*bytes(n), 1 << bit]) for n in range(24) for bit in range(8)]
    assert len(set(ByteColumn.of(values).hashes(5).tolist())) == len(set(values))


def test_hashes_are_spread_evenly() -> None:
    values = [f"account-{number}" for number in range(20_000)]
    hashes = ByteColumn.of(values).hashes(1)
    assert len(set(hashes.tolist())) == len(values)
    for shift in (0, 30, 56):
        counts = np.bincount(hashes >> np.uint64(shift) & np.uint64(255))
        assert counts.max() < 2 * len(values) / 256
        assert counts.min() > len(values) / 256 / 2


@given(st.lists(st.binary(max_size=5), max_size=9), st.integers(1, 5))
def test_a_matrix_has_the_values_of_its_width(values: list[bytes], width: int) -> None:
    rows = ByteColumn.of(values).matrix(width)
    expected = [value if len(value) == width else bytes(width) for value in values]
    assert [row.tobytes() for row in rows] == expected


def test_integers_join_and_are_selected() -> None:
    longs = LongColumn(np.array([4, 0]), np.array([True, False]))
    joined = LongColumn.concatenate([longs, longs]).select(np.array([2, 1]))
    assert joined.values.tolist() == [4, 0]
    assert joined.present.tolist() == [True, False]


@given(st.lists(st.none() | st.binary(max_size=12), max_size=12), st.binary(max_size=8))
def test_prefixes_are_found(values: list[bytes | None], prefix: bytes) -> None:
    column = ByteColumn.of(values)
    expected = [value is not None and value.startswith(prefix) for value in values]
    assert column.begins_with(prefix).tolist() == expected
    found = column.select(column.begins_with(prefix)).cut(len(prefix))
    wanted = [v.removeprefix(prefix) for v in values if v and v.startswith(prefix)]
    assert [value for value in found.values() if value] == [v for v in wanted if v]
