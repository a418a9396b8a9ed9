"""The row codec: Apache Avro's answers, both framings, nothing left behind."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import avro.io
import avro.schema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import decode, encode
from streams.contracts.schemas import fingerprint, physical, schema, schema_names
from streams.contracts.writers import WriterSchemas
from streams.errors import (
    ContentRefused,
    ContractError,
    InvalidRecord,
    UndecodableRecord,
)

NAMES = schema_names()
REFEREES = {
    name: avro.schema.parse(json.dumps(physical(schema(name)))) for name in NAMES
}
Records = Callable[[str], st.SearchStrategy[Any]]
Event = Callable[..., dict[str, Any]]


def comparable(value: Any) -> Any:
    # repr tells -0.0 from 0.0 and shows NaN as equal to itself.
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    return repr(value)


def same(left: Any, right: Any) -> bool:
    return bool(comparable(left) == comparable(right))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(data=st.data())
def test_apache_avro_reads_what_is_encoded(
    name: str, records: Records, data: st.DataObject
) -> None:
    record = data.draw(records(name))
    value = encode(name, record)
    reader: Any = avro.io.DatumReader
    decoder: Any = avro.io.BinaryDecoder

    assert value[:10] == b"\xc3\x01" + fingerprint(schema(name))
    assert same(reader(REFEREES[name]).read(decoder(io.BytesIO(value[10:]))), record)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(data=st.data())
def test_what_apache_avro_writes_is_decoded(
    name: str, records: Records, data: st.DataObject
) -> None:
    record = data.draw(records(name))
    file = io.BytesIO()
    writer: Any = avro.io.DatumWriter
    encoder: Any = avro.io.BinaryEncoder
    writer(REFEREES[name]).write(record, encoder(file))
    header = b"\xc3\x01" + fingerprint(schema(name))

    assert same(decode(name, header + file.getvalue()), record)


@given(data=st.data())
def test_both_framings_hold_the_same_record(
    records: Records, data: st.DataObject
) -> None:
    record = data.draw(records("RequestEvent"))
    writers = WriterSchemas("RequestEvent")
    writers.add_id(7, schema("RequestEvent"))
    value = encode("RequestEvent", record, schema_id=7)

    assert value[:5] == b"\x00\x00\x00\x00\x07"
    assert value[5:] == encode("RequestEvent", record)[10:]
    assert same(decode("RequestEvent", value, writers=writers), record)


def test_missing_fields_take_their_defaults(event: Event) -> None:
    record = event(1)
    decoded = decode("RequestEvent", encode("RequestEvent", record))

    assert list(decoded) == [f["name"] for f in schema("RequestEvent")["fields"]]
    assert record.items() <= decoded.items()
    assert decoded["tool_count"] == 0
    assert decoded["payment"] is None


def test_an_older_writer_is_read_with_defaults_and_without_what_was_dropped(
    event: Event,
) -> None:
    older = schema("RequestEvent")
    older["fields"] = [
        field
        for field in older["fields"]
        if field["name"] not in ("logprobs", "sketch")
    ]
    older["fields"].insert(2, {"name": "retired", "type": "long"})
    writers = WriterSchemas("RequestEvent")
    writers.add(older)
    file = io.BytesIO()
    writer: Any = avro.io.DatumWriter
    encoder: Any = avro.io.BinaryEncoder
    whole = decode("RequestEvent", encode("RequestEvent", event(1)))
    referee = avro.schema.parse(json.dumps(physical(older)))
    kept = {key: whole[key] for key in whole if key not in ("logprobs", "sketch")}
    writer(referee).write({**kept, "retired": 5}, encoder(file))

    value = b"\xc3\x01" + fingerprint(older) + file.getvalue()

    assert decode("RequestEvent", value, writers=writers) == {**whole, "sketch": None}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"account_id": None}, "field 'account_id' is not of the schema's type"),
        ({"occurred_at": "soon"}, "field 'occurred_at' is not of the schema's type"),
        ({"occurred_at": 2**63}, "field 'occurred_at' is not of the schema's type"),
        ({"response_finish_reasons": [None]}, "field 'response_finish_reasons' is not"),
        ({"prompt": "hello there"}, "the schema has no field 'prompt'"),
    ],
)
def test_a_record_that_does_not_fit_is_told_by_field_not_by_value(
    event: Event, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidRecord) as caught:
        encode("RequestEvent", event(1, **changes))

    assert told in str(caught.value)
    assert "hello" not in str(caught.value)


def test_a_missing_field_without_default_is_told(event: Event) -> None:
    record = event(1)
    del record["request_model"]

    with pytest.raises(InvalidRecord, match="'request_model' is missing"):
        encode("RequestEvent", record)


@given(cut=st.integers(1, 300))
def test_a_cut_value_is_undecodable(event: Event, cut: int) -> None:
    value = encode("RequestEvent", event(1))

    with pytest.raises(UndecodableRecord):
        decode("RequestEvent", value[: max(0, len(value) - cut)])


@given(tail=st.binary(min_size=1, max_size=20))
def test_bytes_behind_the_record_are_undecodable(event: Event, tail: bytes) -> None:
    value = encode("RequestEvent", event(1)) + tail

    with pytest.raises(UndecodableRecord, match=f"{len(tail)} bytes are left"):
        decode("RequestEvent", value)


@settings(max_examples=300)
@given(data=st.data())
def test_any_bytes_decode_or_raise_a_dead_letter_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    header = data.draw(st.sampled_from([b"", b"\xc3\x01" + fingerprint(schema(name))]))

    value = header + data.draw(st.binary(max_size=120))
    try:
        decode(name, value)
    except ContractError as error:
        refusal = error
    else:
        return
    assert refusal.dead_letter


def test_content_of_a_broken_record_is_not_told(event: Event) -> None:
    value = encode("RequestEvent", event(1, client="tell me a story"))
    broken = value.replace(b"a story", b"a st\xff\xfe\xfd")

    with pytest.raises(UndecodableRecord) as caught:
        decode("RequestEvent", broken)
    assert "tell" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_rules_hold_for_decoded_records(event: Event) -> None:
    with pytest.raises(ContentRefused, match=r"RequestEvent\.client"):
        decode("RequestEvent", encode("RequestEvent", event(1, client="x" * 513)))
    with pytest.raises(InvalidRecord, match="sketch has 88 bytes, not 90"):
        decode("RequestEvent", encode("RequestEvent", event(1)), sketch_bytes=90)


def test_an_int_is_of_32_bits() -> None:
    datum = b"\x80\x80\x80\x80\x80\x01" + b"\x00\x01\x02\x00"
    value = b"\xc3\x01" + fingerprint(schema("MemberLinks")) + datum

    with pytest.raises(InvalidRecord, match="source_partition is no 32-bit integer"):
        decode("MemberLinks", value)
