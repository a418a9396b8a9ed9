"""Confluent's framing, with the schemas of a real registry."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from apicurio import Apicurio

from streams.bus.schema_registry import SchemaRegistry, public_url, request_writers
from streams.contracts import decode_chunk, encode, fingerprint, schema
from streams.contracts.schemas import physical
from streams.errors import (
    ConfigError,
    ContentRefused,
    RegistryUnavailable,
    UnknownSchema,
)

NAME = "RequestEvent"
UNKNOWN = 2_000_000_000
NOBODY = "http://127.0.0.1:1"


class Clock:
    """Stands still until it is told how many seconds passed."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def event(number: int = 1) -> dict[str, Any]:
    return {
        "event_id": f"event-{number}",
        "occurred_at": 1_760_000_000_000 + number,
        "account_id": f"account-{number}",
        "request_model": "model",
    }


def id_only(schema_id: int) -> bytes:
    return bytes([0]) + schema_id.to_bytes(4, "big")


def framed(schema_id: int, avro: dict[str, Any], record: dict[str, Any]) -> bytes:
    out = io.BytesIO(id_only(schema_id))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(physical(avro)), record)
    return out.getvalue()


def wider() -> dict[str, Any]:
    """Give a later version: fields that nobody here knows, in front and behind."""
    avro = schema(NAME)
    added = {"name": "region", "type": "string", "default": ""}
    nested = {"name": "scores", "type": {"type": "map", "values": "double"}}
    return avro | {"fields": [added, *avro["fields"], nested | {"default": {}}]}


def older() -> dict[str, Any]:
    """Give an early version: the fields that every event must have, and one more."""
    wanted = ("request_model", "account_id", "occurred_at", "event_id", "tool_count")
    by_name = {field["name"]: field for field in schema(NAME)["fields"]}
    return schema(NAME) | {"fields": [by_name[name] for name in wanted]}


@pytest.mark.parametrize("make", [older, wider, lambda: schema(NAME)])
def test_events_of_any_registered_writer_become_columns_of_the_present_schema(
    registry: Apicurio, make: Any
) -> None:
    avro = make()
    schema_id = registry.register(f"{make.__name__}-value", json.dumps(avro))
    record = dict.fromkeys(field["name"] for field in avro["fields"]) | event()
    record |= {"tool_count": 3, "region": "eu", "scores": {"a": 1.5}}
    record |= {"response_finish_reasons": ["stop"], "logprobs": True}
    value = framed(schema_id, avro, record)
    writers = request_writers(registry.url)
    frame, kept, rejected = decode_chunk(
        NAME, [value, encode(NAME, event(2)), value], writers=writers
    )
    assert rejected == []
    assert kept.tolist() == [0, 1, 2]
    assert frame["event_id"].to_list() == ["event-1", "event-2", "event-1"]
    assert frame["tool_count"].to_list() == [3, 0, 3]
    assert frame.columns == [field["name"] for field in schema(NAME)["fields"]]


def test_an_unknown_id_is_a_dead_letter(registry: Apicurio) -> None:
    writers = request_writers(registry.url)
    for schema_id in (0, UNKNOWN, 2**31 - 1):
        value = id_only(schema_id) + encode(NAME, event())[10:]
        (refusal,) = decode_chunk(NAME, [value], writers=writers).rejected
        assert type(refusal[1]) is UnknownSchema
        assert f"{schema_id}" in str(refusal[1])


def test_an_id_that_no_registry_can_have_is_a_dead_letter_without_asking() -> None:
    writers = request_writers(NOBODY)
    (refusal,) = decode_chunk(NAME, [b"\x00\xff\xff\xff\xff"], writers=writers).rejected
    assert refusal[1].dead_letter


def test_a_writer_with_a_field_for_content_is_refused(registry: Apicurio) -> None:
    avro = schema(NAME)
    field = {"name": "prompt", "type": ["null", "string"], "default": None}
    avro |= {"fields": [*avro["fields"], field]}
    schema_id = registry.register("content-value", json.dumps(avro))
    writers = request_writers(registry.url)
    value = id_only(schema_id) + b"Grade this answer"
    (refusal,) = decode_chunk(NAME, [value], writers=writers).rejected
    assert isinstance(refusal[1], ContentRefused)
    assert "'prompt'" in str(refusal[1])
    assert "Grade" not in str(refusal[1])


@pytest.mark.parametrize(
    ("avro", "word"),
    [
        ('["null", "string"]', "not a record's"),
        ('{"type": "enum", "name": "E", "symbols": ["A"]}', "not a record's"),
    ],
)
def test_a_schema_that_is_not_a_records_is_a_dead_letter(
    registry: Apicurio, avro: str, word: str
) -> None:
    schema_id = registry.register("odd-value", avro)
    value = id_only(schema_id)
    writers = request_writers(registry.url)
    for _ in range(2):
        (refusal,) = decode_chunk(NAME, [value], writers=writers).rejected
        assert isinstance(refusal[1], UnknownSchema)
        assert word in str(refusal[1])


def test_a_record_of_another_kind_is_a_dead_letter(registry: Apicurio) -> None:
    schema_id = registry.register("ack-value", json.dumps(schema("Ack")))
    value = id_only(schema_id) + encode("Ack", ACK)[10:]
    writers = request_writers(registry.url)
    (refusal,) = decode_chunk(NAME, [value], writers=writers).rejected
    assert refusal[1].dead_letter


def test_a_recursive_schema_is_read_or_refused_but_never_fatal(
    registry: Apicurio,
) -> None:
    node = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "next", "type": ["null", "Node"], "default": None}],
    }
    extra = {"name": "chain", "type": ["null", node], "default": None}
    avro = schema(NAME) | {"fields": [*schema(NAME)["fields"], extra]}
    schema_id = registry.register("recursive-value", json.dumps(avro))
    record = dict.fromkeys(field["name"] for field in avro["fields"]) | event()
    record |= {"tool_count": 1, "response_finish_reasons": [], "logprobs": False}
    record |= {"chain": {"next": {"next": None}}}
    value = framed(schema_id, avro, record)
    decoded = decode_chunk(NAME, [value], writers=request_writers(registry.url))
    assert decoded.frame["event_id"].to_list() == ["event-1"]


@pytest.mark.parametrize("url", [NOBODY, "wrong path"])
def test_without_an_answer_nothing_is_decided(registry: Apicurio, url: str) -> None:
    if url == "wrong path":
        url = registry.url.removesuffix("/apis/ccompat/v7")
    value = id_only(1) + encode(NAME, event())[10:]
    writers = request_writers(url)
    for _ in range(2):
        with pytest.raises(RegistryUnavailable, match="registry_url"):
            decode_chunk(NAME, [value, encode(NAME, event(2))], writers=writers)
    assert RegistryUnavailable.retriable
    assert not RegistryUnavailable.dead_letter


def test_a_registry_that_hangs_is_not_waited_for_and_is_asked_again(
    registry: Apicurio,
) -> None:
    schema_id = registry.register("hangs-value", json.dumps(schema(NAME)))
    clock = Clock()
    resolve = SchemaRegistry(registry.url, clock=clock)
    with registry.hanging(), pytest.raises(RegistryUnavailable, match="Timeout"):
        resolve(schema_id)
    with pytest.raises(RegistryUnavailable):  # remembered: it is not asked at once
        resolve(schema_id)
    clock.now += 1
    assert fingerprint(resolve(schema_id)) == fingerprint(schema(NAME))
    with registry.hanging():
        assert resolve(schema_id)["name"] == NAME  # for good


def test_a_no_is_kept_for_a_while_only(registry: Apicurio) -> None:
    clock = Clock()
    resolve = SchemaRegistry(registry.url, clock=clock)
    coming = registry.register("before-value", json.dumps(older() | {"doc": "a"})) + 1
    with pytest.raises(KeyError):
        resolve(coming)
    avro = older() | {"doc": "b"}
    assert registry.register("coming-value", json.dumps(avro)) == coming
    clock.now += 29
    with pytest.raises(KeyError):
        resolve(coming)
    clock.now += 1
    assert resolve(coming)["doc"] == "b"


def test_bytes_that_look_like_many_ids_do_not_become_many_questions(
    registry: Apicurio,
) -> None:
    schema_id = registry.register("many-value", json.dumps(schema(NAME)))
    clock = Clock()
    resolve = SchemaRegistry(registry.url, clock=clock)
    for number in range(100):
        with pytest.raises(KeyError):
            resolve(UNKNOWN + number)
    with registry.hanging():
        for number in range(100):
            with pytest.raises(UnknownSchema, match="not looked up"):
                resolve(UNKNOWN + 1000 + number)
    clock.now += 30
    assert resolve(schema_id)["name"] == NAME


@pytest.mark.parametrize("url", ["registry", "ftp://user:secret@registry"])
def test_what_is_not_a_url_is_told_as_a_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="registry_url") as raised:
        request_writers(url)
    assert "secret" not in str(raised.value)


def test_errors_hide_the_password_of_the_url() -> None:
    with pytest.raises(RegistryUnavailable) as raised:
        SchemaRegistry("http://user:secret@127.0.0.1:1")(1)
    assert "http://127.0.0.1:1" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert public_url("http://[::1]:8081") == "http://[::1]:8081"


ACK: dict[str, Any] = {
    field["name"]: 1 if "long" in str(field["type"]) else "x"
    for field in schema("Ack")["fields"]
} | {"outcome": "applied"}


def test_what_confluents_own_serializer_sends_is_understood(
    registry: Apicurio,
) -> None:
    from confluent_kafka.schema_registry.avro import AvroSerializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    text = json.dumps(schema(NAME))
    registry.register("llm.requests-value", text)
    serialize = AvroSerializer(
        registry.client,
        text,
        conf={"auto.register.schemas": False, "subject.name.strategy.type": "TOPIC"},
    )
    topic = SerializationContext("llm.requests", MessageField.VALUE)
    values = [serialize(event(number), topic) for number in range(50)]
    assert all(value is not None and value[0] == 0 for value in values)
    frame, _, rejected = decode_chunk(
        NAME, values, writers=request_writers(registry.url)
    )
    assert rejected == []
    assert frame["event_id"].to_list() == [f"event-{n}" for n in range(50)]
