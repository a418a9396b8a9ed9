"""Columns of a chunk agree with the sketches one by one."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from streams.sketch import RATIOS, SKETCH_BYTES, Sketcher
from streams.sketch.columns import SketchColumns, sketch_columns, sketch_matrix

SKETCHER = Sketcher(b"c" * 32, "test")
PLAIN = ("version", "key_epoch", "system", "head", "tail", "exact", "tools")
prompts = st.lists(
    st.none()
    | st.text(max_size=40)
    | st.lists(st.sampled_from(list("abcdef")), max_size=20).map(" ".join)
    | st.binary(max_size=100),
    max_size=8,
)


def columns_of(values: list[bytes | None]) -> tuple[SketchColumns, np.ndarray]:
    matrix, valid = sketch_matrix(pl.Series(values, dtype=pl.Binary))
    assert matrix.shape == (len(values), SKETCH_BYTES)
    assert matrix.dtype == np.uint8
    return sketch_columns(matrix), valid


@given(prompts)
def test_columns_are_the_sketches_fields(rows: list[str | bytes | None]) -> None:
    values = [
        bytes(SKETCHER.sketch(row, system="s" + row, tools=row))
        if isinstance(row, str)
        else row
        for row in rows
    ]
    columns, valid = columns_of(values)
    assert valid.tolist() == [isinstance(row, str) for row in rows]
    for i, row in enumerate(rows):
        if not isinstance(row, str):
            assert not any(np.any(column[i]) for column in columns)
            continue
        sketch = SKETCHER.sketch(row, system="s" + row, tools=row)
        assert [getattr(columns, f)[i] for f in PLAIN] == [
            getattr(sketch, f) for f in PLAIN
        ]
        assert columns.markers[i] == sketch.marker_bits
        assert dict(zip(RATIOS, columns.ratios[i].tolist(), strict=True)) == (
            sketch.ratios
        )
        present = any(sketch.minhash)
        assert (columns.band0[i] != 0) == (columns.band1[i] != 0) == present


def test_types_of_the_columns() -> None:
    columns, _ = columns_of([bytes(SKETCHER.sketch("a b c d e f g h"))])
    assert columns.markers.dtype == np.uint32
    assert columns.ratios.shape == (1, len(RATIOS))
    for name in ("system", "head", "tail", "band0", "band1", "exact", "tools"):
        assert getattr(columns, name).dtype == np.uint64


@given(st.integers(0, 31))
def test_a_band_changes_with_any_of_its_bytes_and_with_no_other(byte: int) -> None:
    one = bytearray(SKETCHER.sketch("a b c d e f g h i j k l").to_bytes())
    other = bytearray(one)
    other[40 + byte] ^= 0x10
    columns, _ = columns_of([bytes(one), bytes(other)])
    assert (columns.band0[0] != columns.band0[1]) == (byte < 16)
    assert (columns.band1[0] != columns.band1[1]) == (byte >= 16)


def test_slots_in_another_order_are_another_band() -> None:
    data = bytearray(SKETCHER.sketch("a b c d e f g h i j k l").to_bytes())
    swapped = data[:40] + data[48:56] + data[40:48] + data[56:]
    columns, _ = columns_of([bytes(data), bytes(swapped)])
    assert columns.band0[0] != columns.band0[1]


def test_another_version_is_not_valid_and_reads_as_zeros() -> None:
    data = b"\2" + bytes(SKETCHER.sketch("a b c d e f g h"))[1:]
    columns, valid = columns_of([data])
    assert valid.tolist() == [False]
    assert columns.head.tolist() == columns.version.tolist() == [0]


def test_no_rows() -> None:
    columns, valid = columns_of([])
    assert len(valid) == len(columns.head) == len(columns.band0) == 0
    assert columns.ratios.shape == (0, len(RATIOS))


def test_a_slice_of_a_matrix_reads_the_same() -> None:
    sketches = SKETCHER.sketch_many([f"{w} b c d e f g h i" for w in "qrstu"])
    matrix, _ = sketch_matrix(pl.Series([bytes(s) for s in sketches], dtype=pl.Binary))
    assert sketch_columns(matrix[::2]).head.tolist() == [s.head for s in sketches[::2]]
