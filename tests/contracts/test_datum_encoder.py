"""Encoders made from a schema give fastavro's bytes, or refuse."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import without_logical_types
from streams.contracts.datum_encoder import datum_encoder
from streams.contracts.plain_values import NotPlainError
from streams.contracts.schemas import schema

Records = Callable[[str], st.SearchStrategy[Any]]
NAMES = ("Action", "Ack", "Alert", "ControlEntry", "Decision", "FacetSums")


def by_fastavro(avro: Any, value: Any) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(avro), value)
    return file.getvalue()


@pytest.mark.parametrize("name", [*NAMES, "MemberLinks", "RequestEvent"])
@settings(max_examples=40)
@given(data=st.data())
def test_records_are_encoded_as_by_fastavro(
    records: Records, name: str, data: st.DataObject
) -> None:
    avro = without_logical_types(schema(name))
    record = data.draw(records(name))
    full = {
        field["name"]: record[field["name"]]
        if field["name"] in record
        else field["default"]
        for field in avro["fields"]
    }
    assert datum_encoder(avro)(full) == by_fastavro(avro, full)


_LONGS = st.integers(-(2**63), 2**63 - 1)
_ANY = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": ["long", "null"]},
        {"name": "b", "type": {"type": "map", "values": "string"}},
        {"name": "c", "type": {"type": "enum", "name": "E", "symbols": ["x", "y"]}},
        {"name": "d", "type": {"type": "array", "items": "double"}},
        {"name": "e", "type": ["null", "bytes"]},
        {"name": "f", "type": "boolean"},
    ],
}
_RECORDS = st.fixed_dictionaries(
    {
        "a": st.none() | _LONGS,
        "b": st.dictionaries(st.text(), st.text(max_size=200), max_size=3),
        "c": st.sampled_from("xy"),
        "d": st.lists(st.floats(allow_nan=False) | st.integers(-9, 9), max_size=4),
        "e": st.none() | st.binary(max_size=200),
        "f": st.booleans(),
    }
)


@given(_RECORDS)
def test_values_of_every_type_are_encoded_as_by_fastavro(record: Any) -> None:
    assert datum_encoder(_ANY)(record) == by_fastavro(_ANY, record)


@given(
    _RECORDS,
    st.sampled_from("abcdef"),
    st.sampled_from([object(), 2**63, 1.5j, {1}, "\ud800", ["\ud800"], {"k": 1}]),
)
def test_misfits_are_refused(record: Any, field: str, value: Any) -> None:
    encode = datum_encoder(_ANY)
    for wrong in ({**record, field: value}, {**record, "more": 1}):
        with pytest.raises(Exception):  # noqa: B017, PT011  whatever says that it is none
            encode(wrong)
    del record[field]
    with pytest.raises((NotPlainError, KeyError)):
        encode(record)


def test_other_schemas_are_refused() -> None:
    for avro in ("float", ["null", "long", "string"], {"type": "fixed", "size": 2}):
        with pytest.raises(NotPlainError):
            datum_encoder(avro)
