"""The lockstep walk: sure of nothing that is not wholly there."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import encode_datum
from streams.contracts.rules import Rules
from streams.contracts.schemas import physical, schema
from streams.contracts.walk import Step, plan, walk

Records = Callable[[str], st.SearchStrategy[Any]]


def sure(steps: tuple[Step, ...], *datums: bytes) -> list[bool]:
    sizes = np.array([len(datum) for datum in datums], dtype=np.int64)
    ends = np.cumsum(sizes)
    result: list[bool] = walk(steps, b"".join(datums), ends - sizes, ends).tolist()
    return result


def steps_of(name: str) -> tuple[Step, ...]:
    steps = plan(physical(schema(name)), Rules())
    assert steps is not None
    return steps


@settings(max_examples=60)
@given(data=st.data())
def test_whole_datums_are_sure_and_cut_ones_are_not(
    records: Records, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(records("RequestEvent"), min_size=1, max_size=5))
    # Ten-byte varints are left to the row codec.
    for record in drawn:
        record["request_seed"] = 1
        for field, value in record.items():
            if isinstance(value, int) and abs(value) >= 2**62:
                record[field] = 0
    datums = [encode_datum("RequestEvent", record) for record in drawn]
    steps = steps_of("RequestEvent")
    cut = data.draw(st.integers(0, len(datums) - 1))
    at = data.draw(st.integers(0, len(datums[cut]) - 1))

    assert all(sure(steps, *datums))
    datums[cut] = datums[cut][:at]
    assert sure(steps, *datums) == [place != cut for place in range(len(datums))]


@settings(max_examples=300)
@given(data=st.data())
def test_the_walk_is_sure_of_nothing_that_fastavro_does_not_read_to_its_end(
    data: st.DataObject,
) -> None:
    avro = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "a", "type": ["null", "long"]},
            {"name": "b", "type": {"type": "array", "items": "string"}},
            {"name": "c", "type": {"type": "enum", "name": "E", "symbols": ["x", "y"]}},
            {"name": "d", "type": ["bytes", "null"]},
            {"name": "e", "type": "boolean"},
        ],
    }
    steps = plan(avro, Rules())
    assert steps is not None
    small = st.lists(st.integers(0, 12) | st.integers(0, 255), max_size=14).map(bytes)
    datums = data.draw(st.lists(small, min_size=1, max_size=5))
    parsed = fastavro.parse_schema(avro)
    for datum, known in zip(datums, sure(steps, *datums), strict=True):
        if known:
            file = io.BytesIO(datum)
            try:
                fastavro.schemaless_reader(file, parsed, None)
            except UnicodeDecodeError:
                continue  # UTF-8 is not the walk's to check
            assert file.tell() == len(datum)


@pytest.mark.parametrize(
    ("step", "good", "bad"),
    [
        (Step("string"), b"\x02x", b"\x03x"),
        (Step("string", shortest=1), b"\x02x", b"\x00"),
        (Step("string", longest=1), b"\x02x", b"\x04xy"),
        (Step("bytes", size=1), b"\x02x", b"\x04xy"),
        (Step("string", is_id=True), b"\x04ks", b"\x04sk"),
        (Step("long", not_negative=True), b"\x02", b"\x01"),
        (Step("long"), b"\x80" * 8 + b"\x01", b"\x80" * 9 + b"\x01"),
        (Step("int"), b"\x80" * 3 + b"\x01", b"\x80" * 4 + b"\x01"),
        (Step("boolean"), b"\x01", b"\x02"),
        (Step("enum", symbols=3), b"\x04", b"\x06"),
        (Step("enum", symbols=3), b"\x00", b"\x01"),
        (Step("double"), bytes(8), bytes(7)),
        (Step("float"), bytes(4), bytes(5)),
        (Step("null"), b"", b"\x00"),
        (Step("string", null_index=0), b"\x00", b"\x01"),
        (Step("string", null_index=0), b"\x02\x00", b"\x04\x00"),
        (Step("string", null_index=1), b"\x02", b"\x02\x00"),
        (Step("array"), b"\x02\x02x\x00", b"\x02\x02x\x02"),
        (Step("array"), b"\x01\x04\x02x\x00", b"\x01\x03\x02x\x00"),
        (Step("array"), b"\x20" + b"\x00" * 17, b"\x22" + b"\x00" * 18),
    ],
)
def test_a_step_knows_good_from_doubtful(step: Step, good: bytes, bad: bytes) -> None:
    assert sure((step,), good, bad, good) == [True, False, True]
    assert sure((step,), bad) == [False]


def test_strings_beyond_ascii_are_doubtful_on_request() -> None:
    steps = (Step("string"), Step("array"), Step("bytes"))
    datums = [b"\x02x\x02\x02y\x00\x02\xff", b"\x04\xc3\xa9\x00\x00"]
    datums.append(b"\x00\x02\x04\xc3\xa9\x00\x00")
    sizes = np.array([len(datum) for datum in datums], dtype=np.int64)
    ends = np.cumsum(sizes)
    blob = b"".join(datums)

    assert walk(steps, blob, ends - sizes, ends).tolist() == [True] * 3
    known = walk(steps, blob, ends - sizes, ends, ascii_only=True)
    assert known.tolist() == [True, False, False]


def test_a_schema_with_a_map_or_a_nested_record_is_not_flat() -> None:
    assert plan(physical(schema("Action")), Rules()) is None
    assert plan(physical(schema("Alert")), Rules()) is None


def test_no_datums_are_no_trouble() -> None:
    assert sure((Step("string"),)) == []
