"""`Sketch`: bytes in, fields out."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InvalidRecord
from streams.sketch import MARKERS, RATIOS, SKETCH_BYTES, Sketch
from streams.sketch.record import PACKING

words = st.integers(0, (1 << 64) - 1)


@given(
    st.integers(0, 255),
    st.integers(0, (1 << 32) - 1),
    st.binary(min_size=10, max_size=10),
    st.tuples(words, words, words, words, words),
    st.binary(min_size=32, max_size=32),
)
def test_fields_are_where_the_layout_says(
    epoch: int, bits: int, ratios: bytes, values: tuple[int, ...], minhash: bytes
) -> None:
    system, head, tail, exact, tools = values
    packed = PACKING.pack(
        1, epoch, bits, ratios, system, head, tail, minhash, exact, tools
    )
    sketch = Sketch.from_bytes(packed)
    assert (sketch.version, sketch.key_epoch, sketch.marker_bits) == (1, epoch, bits)
    assert (sketch.system, sketch.head, sketch.tail) == (system, head, tail)
    assert (sketch.exact, sketch.tools) == (exact, tools)
    assert sketch.ratios == dict(zip(RATIOS, ratios, strict=True))
    assert sketch.turns == ratios[-1]
    assert len(sketch.markers) == bits.bit_count()
    assert sketch.markers <= set(MARKERS)
    assert b"".join(slot.to_bytes(2, "little") for slot in sketch.minhash) == minhash
    assert bytes(sketch) == sketch.to_bytes() == packed
    for twin in (copy.deepcopy(sketch), pickle.loads(pickle.dumps(sketch))):  # noqa: S301 - our own bytes
        assert twin == sketch
        assert hash(twin) == hash(sketch)


@given(st.binary(max_size=200).filter(lambda data: len(data) != SKETCH_BYTES))
def test_another_size_is_an_invalid_record(data: bytes) -> None:
    with pytest.raises(InvalidRecord, match=f"{len(data)} bytes"):
        Sketch.from_bytes(data)


@given(st.integers(0, 255).filter(lambda version: version != 1))
def test_another_version_is_an_invalid_record(version: int) -> None:
    with pytest.raises(InvalidRecord, match=f"version {version}"):
        Sketch.from_bytes(bytes([version]) + bytes(SKETCH_BYTES - 1))


def test_a_sketch_is_frozen_and_shows_little() -> None:
    sketch = Sketch.from_bytes(b"\1" + b"\xab" * (SKETCH_BYTES - 1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        sketch._data = b""
    assert repr(sketch) == "<Sketch v1 key ab head abababab exact abababab>"
