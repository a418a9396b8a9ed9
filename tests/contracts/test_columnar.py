"""The columnar codec: exactly what the row codec says, whatever the bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import fastavro
import numpy as np
import polars as pl
import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import decode, decode_datum, encode, encode_datum
from streams.contracts.columnar import DecodedChunk, decode_chunk
from streams.contracts.fields import decode_fields
from streams.contracts.projection import frame_schema, records_of_frame
from streams.contracts.schemas import physical, schema, schema_names
from streams.contracts.writers import (
    WriterSchemas,
    confluent_header,
    single_object_header,
)
from streams.errors import ContentRefused, ContractError, UndecodableRecord

Records = Callable[[str], st.SearchStrategy[Any]]
Event = Callable[..., dict[str, Any]]
Answer = tuple[list[tuple[int, bytes]], list[tuple[int, str]]]


def row_answer(
    name: str,
    values: Sequence[bytes | None],
    writers: WriterSchemas | None = None,
    sketch_bytes: int | None = None,
) -> Answer:
    kept, rejected = [], []
    for place, value in enumerate(values):
        assert value is not None
        try:
            record = decode(name, value, writers=writers, sketch_bytes=sketch_bytes)
        except ContractError as error:
            rejected.append((place, repr(error)))
        else:
            kept.append((place, encode_datum(name, record)))
    return kept, rejected


def columnar_answer(name: str, chunk: DecodedChunk) -> Answer:
    assert chunk.frame.schema == frame_schema(name)
    assert chunk.kept.dtype == np.int64
    # Encoded again, so that NaN equals NaN and -0.0 differs from 0.0.
    records = records_of_frame(name, chunk.frame)
    kept = [
        (int(place), encode_datum(name, record))
        for place, record in zip(chunk.kept, records, strict=True)
    ]
    return kept, [(place, repr(error)) for place, error in chunk.rejected]


_READABLE = (pl.String(), pl.Binary(), pl.Int32(), pl.Int64())


def check_fields(
    name: str, values: Sequence[bytes | None], chunk: DecodedChunk, **options: Any
) -> None:
    """Fields that are read where they lie are those of the frame."""
    fields = [
        field["name"]
        for field in physical(schema(name))["fields"]
        if frame_schema(name)[field["name"]] in _READABLE
        and "enum" not in repr(field["type"])
    ]
    read = decode_fields(name, values, fields, **options)
    assert read.kept.tolist() == chunk.kept.tolist()
    assert list(map(repr, read.rejected)) == list(map(repr, chunk.rejected))
    assert len(read.kept) == 0 or {*read.bytes, *read.longs} == {*fields}
    for field, column in read.bytes.items():
        expected = [
            value.encode() if isinstance(value, str) else value
            for value in chunk.frame[field].to_list()
        ]
        assert [column.value(at) for at in range(len(expected))] == expected
    for field, longs in read.longs.items():
        present = longs.present.tolist()
        found = [
            n if known else None
            for n, known in zip(longs.values.tolist(), present, strict=True)
        ]
        assert found == chunk.frame[field].to_list()


@pytest.mark.parametrize("name", schema_names())
@settings(max_examples=25)
@given(data=st.data())
def test_good_records_of_every_schema_come_back(
    name: str, records: Records, data: st.DataObject
) -> None:
    values = [encode(name, r) for r in data.draw(st.lists(records(name), max_size=6))]
    chunk = decode_chunk(name, values)

    assert columnar_answer(name, chunk) == row_answer(name, values)
    assert chunk.frame.height == len(values)
    check_fields(name, values, chunk)


VARINTS = st.sampled_from(
    [0, 1, -1, 63, 64, -65, 2**20, 2**31, 2**40, 2**62, -(2**63), 2**63 - 1]
)


def varint(value: int) -> bytes:
    code, out = (value << 1) ^ (value >> 63), bytearray()
    while code > 0x7F:
        out.append(code & 0x7F | 0x80)
        code >>= 7
    return bytes([*out, code])


@st.composite
def corrupted(draw: st.DrawFn, values: list[bytes]) -> list[bytes]:
    """The values after flips, cuts, extensions, new lengths, long zeros and swaps."""
    damaged = [bytearray(value) for value in values]
    for _ in range(draw(st.integers(0, 4))):
        value = draw(st.sampled_from(damaged))
        at = draw(st.integers(0, max(0, len(value) - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "add", "put", "long", "swap"]))
        note(kind)
        match kind:
            case "flip" if value:
                value[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del value[at:]
            case "add":
                value[at:at] = draw(st.binary(min_size=1, max_size=12))
            case "put":
                value[at : at + 1] = varint(draw(VARINTS))
            case "long" if value:
                value[at : at + 1] = bytes([value[at] | 0x80, 0])
            case "swap":
                other = draw(st.sampled_from(damaged))
                value[at:], other[at:] = other[at:], value[at:]
    return [bytes(value) for value in damaged]


@settings(max_examples=400)
@given(data=st.data())
def test_corruption_is_answered_as_the_row_codec_does(
    records: Records, event: Event, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["RequestEvent", "RequestEvent", "Ack"]))
    some = data.draw(st.lists(records(name), min_size=1, max_size=4))
    if name == "RequestEvent":
        some += [event(place) for place in range(data.draw(st.integers(0, 20)))]
    values = data.draw(corrupted([encode(name, record) for record in some]))
    chunk = decode_chunk(name, values)

    assert columnar_answer(name, chunk) == row_answer(name, values)
    check_fields(name, values, chunk)


@settings(max_examples=150)
@given(data=st.data())
def test_rules_are_answered_as_the_row_codec_does(
    event: Event, data: st.DataObject
) -> None:
    text = st.sampled_from(
        [
            *("", "x", "x" * 512, "x" * 513, "é" * 256, "é" * 512, "é" * 513),
            *("sk-" + "a" * 16, "sk-" + "a" * 15, "sketch", "ghp_" + "a" * 20),
            *("Bearer x", "Bear", "eyJ", "eyJhbGciOiJI.e", "s", "hf"),
        ]
    )
    changes = st.fixed_dictionaries(
        {},
        optional={
            "event_id": text,
            "account_id": text,
            "network": text,
            "output_type": text,
            "occurred_at": st.sampled_from([-1, 0, 2**62]),
            "response_finish_reasons": st.lists(text, max_size=20),
            "sketch": st.none() | st.binary(min_size=87, max_size=89),
        },
    )
    changed = data.draw(st.lists(changes, min_size=1, max_size=5))
    records = [event(place, **some) for place, some in enumerate(changed)]
    values = [encode("RequestEvent", record) for record in records]
    chunk = decode_chunk("RequestEvent", values, sketch_bytes=88)

    expected = row_answer("RequestEvent", values, sketch_bytes=88)
    assert columnar_answer("RequestEvent", chunk) == expected
    check_fields("RequestEvent", values, chunk, sketch_bytes=88)


def test_a_shifted_boundary_does_not_go_unnoticed() -> None:
    # The first takes the second's first byte, and both together still decode.
    name = "MemberLinks"
    header = single_object_header(schema(name))
    whole = encode(name, _links(b"ab")) + encode(name, _links(b"c"))[10:]
    first, second = whole[:-2], header + whole[-2:]
    good = encode(name, _links(b"fine"))
    chunk = decode_chunk(name, [good, first, second, good])

    assert chunk.kept.tolist() == [0, 3]
    assert [place for place, _ in chunk.rejected] == [1, 2]


def _links(payload: bytes) -> dict[str, Any]:
    return {
        "source_partition": 0,
        "part": 0,
        "last": True,
        "closed_minute": 29,
        "payload": payload,
    }


def rows_decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Watch which datums go to the row codec."""
    seen: list[bytes] = []

    def watched(name: str, datum: bytes, *args: Any, **options: Any) -> dict[str, Any]:
        seen.append(datum)
        return decode_datum(name, datum, *args, **options)

    monkeypatch.setattr("streams.contracts.columnar.decode_datum", watched)
    return seen


def test_ordinary_events_never_need_the_row_codec(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = rows_decoded(monkeypatch)
    values = [encode("RequestEvent", event(place)) for place in range(300)]

    assert decode_chunk("RequestEvent", values).frame.height == 300
    assert seen == []


def test_a_bad_record_costs_no_row_decoding_of_its_neighbours(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = rows_decoded(monkeypatch)
    values = [encode("RequestEvent", event(place)) for place in range(300)]
    values[7] = values[7][:-1]
    values[200] = values[200].replace(b"model-large", b"model-\xff\xff\xff\xff\xff")
    chunk = decode_chunk("RequestEvent", values)

    assert [place for place, _ in chunk.rejected] == [7, 200]
    assert seen == [values[7][10:], values[200][10:]]


def test_array_blocks_with_their_size_are_columnar_too(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = rows_decoded(monkeypatch)
    plain = encode("RequestEvent", event(1))
    sized = plain.replace(b"\x02\x08stop\x00", b"\x01\x0a\x08stop\x00")
    chunk = decode_chunk("RequestEvent", [plain, sized])

    assert sized != plain
    assert chunk.frame["response_finish_reasons"].to_list() == [["stop"], ["stop"]]
    assert seen == []


def older_schema() -> dict[str, Any]:
    """A version that lacks three fields, has one more, and a shorter integer."""
    older = schema("RequestEvent")
    missing = ("logprobs", "sketch", "response_finish_reasons")
    older["fields"] = [f for f in older["fields"] if f["name"] not in missing]
    older["fields"][1]["type"] = "int"
    older["fields"].append({"name": "retired", "type": ["string", "null"]})
    return older


def older_value(record: dict[str, Any]) -> bytes:
    whole = decode("RequestEvent", encode("RequestEvent", record))
    file = io.BytesIO()
    parsed = fastavro.parse_schema(physical(older_schema()))
    fastavro.schemaless_writer(file, parsed, {**whole, "retired": "gone"})
    return single_object_header(older_schema()) + file.getvalue()


@settings(max_examples=100)
@given(data=st.data())
def test_corruption_of_an_older_version_is_answered_alike(
    event: Event, data: st.DataObject
) -> None:
    writers = WriterSchemas("RequestEvent")
    writers.add(older_schema())
    times = data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5))
    values = [older_value(event(n, occurred_at=t)) for n, t in enumerate(times)]
    values = data.draw(corrupted(values))
    chunk = decode_chunk("RequestEvent", values, writers=writers)

    expected = row_answer("RequestEvent", values, writers)
    assert columnar_answer("RequestEvent", chunk) == expected
    check_fields("RequestEvent", values, chunk, writers=writers)


def test_framings_writers_and_strangers_mix(event: Event) -> None:
    older = older_schema()
    prompting = schema("RequestEvent")
    prompting["fields"].append({"name": "prompt", "type": "string"})
    writers = WriterSchemas("RequestEvent")
    writers.add(older)
    writers.add_id(7, schema("RequestEvent"))
    writers.add_id(8, prompting)
    old = older_value(event(1, occurred_at=5))
    values = [
        encode("RequestEvent", event(1)),
        old,
        encode("RequestEvent", event(2), schema_id=7),
        confluent_header(8) + b"text",
        confluent_header(9) + b"x",
        b'{"prompt": "tell me"}',
        b"",
        old[:-1],
        encode("RequestEvent", event(3)),
    ]
    chunk = decode_chunk("RequestEvent", values, writers=writers)

    expected = row_answer("RequestEvent", values, writers)
    assert columnar_answer("RequestEvent", chunk) == expected
    check_fields("RequestEvent", values, chunk, writers=writers)
    assert chunk.kept.tolist() == [0, 1, 2, 8]
    assert chunk.frame["occurred_at"][1] == 5
    assert isinstance(chunk.rejected[0][1], ContentRefused)


def test_tombstones_are_rejected(event: Event) -> None:
    good = encode("RequestEvent", event(1))
    chunk = decode_chunk("RequestEvent", [None, good, None])

    assert chunk.kept.tolist() == [1]
    check_fields("RequestEvent", [None, good, None], chunk)
    assert [place for place, _ in chunk.rejected] == [0, 2]
    assert all(isinstance(error, UndecodableRecord) for _, error in chunk.rejected)


def test_an_empty_chunk_has_the_columns() -> None:
    chunk = decode_chunk("RequestEvent", [])

    assert chunk.frame.schema == frame_schema("RequestEvent")
    assert chunk.frame.height == len(chunk.kept) == len(chunk.rejected) == 0
