"""Framings, and the writer schemas a reader knows."""

from __future__ import annotations

import json
from typing import Any

import avro.schema
import pytest

from streams.contracts.schemas import fingerprint, physical, schema, versions
from streams.contracts.writers import (
    WriterSchemas,
    confluent_header,
    header_bytes,
    shipped_writers,
    single_object_header,
)
from streams.errors import (
    ContentRefused,
    ContractError,
    UndecodableRecord,
    UnknownSchema,
)


def with_prompt() -> dict[str, Any]:
    avro_schema = schema("RequestEvent")
    avro_schema["fields"].append({"name": "prompt", "type": "string", "default": ""})
    return avro_schema


def test_the_single_object_header_is_as_specified() -> None:
    referee = avro.schema.parse(json.dumps(physical(schema("Ack"))))

    assert single_object_header(schema("Ack")) == b"\xc3\x01" + referee.fingerprint()


def test_every_kept_version_is_known() -> None:
    writers = shipped_writers("RequestEvent")

    for version in versions("RequestEvent").values():
        found = writers.find(single_object_header(version) + b"x")
        assert found.fingerprint == fingerprint(version)


@pytest.mark.parametrize("value", [b"", b"\xc3", b"\xc3\x01short", b"\x00\x00", b"Obj"])
def test_a_value_without_a_whole_header_is_undecodable(value: bytes) -> None:
    assert header_bytes(value) == b""
    with pytest.raises(UndecodableRecord, match="without a framing"):
        shipped_writers("Ack").find(value)


def test_an_unknown_fingerprint_and_an_unknown_id_are_told() -> None:
    with pytest.raises(UnknownSchema, match="fingerprint 7878787878787878"):
        shipped_writers("Ack").find(b"\xc3\x01" + b"x" * 8)
    with pytest.raises(UnknownSchema, match="registry id 258"):
        shipped_writers("Ack").find(confluent_header(258))


def test_a_resolver_is_asked_once_per_known_id() -> None:
    asked = []

    def resolve(schema_id: int) -> dict[str, Any]:
        asked.append(schema_id)
        return {7: schema("Ack")}[schema_id]

    writers = WriterSchemas("Ack", resolver=resolve)
    for _ in range(3):
        assert writers.find(confluent_header(7)).is_present
    with pytest.raises(UnknownSchema, match="registry id 8"):
        writers.find(confluent_header(8))

    assert asked == [7, 8]


def test_a_schema_with_a_field_for_text_is_refused_in_both_framings() -> None:
    writers = WriterSchemas("RequestEvent")
    writers.add(with_prompt())
    writers.add_id(7, with_prompt())

    for header in (single_object_header(with_prompt()), confluent_header(7)):
        with pytest.raises(ContentRefused, match="field 'prompt'"):
            writers.find(header + b"the text itself")


@pytest.mark.parametrize(
    "value",
    [
        b'{"gen_ai.input.messages": ["tell me"]}',
        b' [{"a": {"Prompt": "tell me"}}]',
        b'{"response": {"text": "tell me"}}',
    ],
)
def test_json_with_text_is_refused_and_not_repeated(value: bytes) -> None:
    with pytest.raises(ContentRefused, match="JSON object with the key") as caught:
        shipped_writers("RequestEvent").find(value)
    assert "tell" not in str(caught.value)


@pytest.mark.parametrize("value", [b'{"event_id": "e"}', b"{", b"[" * 100_000])
def test_other_json_is_undecodable(value: bytes) -> None:
    with pytest.raises(UndecodableRecord, match="serialise with Avro"):
        shipped_writers("RequestEvent").find(value)


def test_an_id_out_of_range_is_told() -> None:
    with pytest.raises(ContractError, match="registry id -1"):
        confluent_header(-1)
