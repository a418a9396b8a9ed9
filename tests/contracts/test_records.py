"""Typed records: the schemas' names, types, order and defaults, and no others."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import encode
from streams.contracts.records import (
    Ack,
    Action,
    Alert,
    ControlEntry,
    Decision,
    RequestEvent,
    decode_record,
    encode_record,
    from_dict,
    to_dict,
)
from streams.contracts.schemas import physical, schema
from streams.errors import InvalidRecord

Records = Callable[[str], st.SearchStrategy[Any]]
TYPES = [RequestEvent, Action, Alert, Ack, ControlEntry, Decision]
PRIMITIVES = {
    str: "string",
    int: "long",
    float: "double",
    bool: "boolean",
    bytes: "bytes",
    types.NoneType: "null",
}


def avro_of(hint: Any) -> Any:
    """The shape of a type hint, in the words of a physical schema."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        # Hints read "X | None", schemas have null first, for its default.
        return sorted((avro_of(branch) for branch in arguments), key=_null_first)
    if origin is typing.Literal:
        return {"symbols": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": avro_of(arguments[0])}
    if origin is dict:
        return {"type": "map", "values": avro_of(arguments[1])}
    if issubclass(hint, msgspec.Struct):
        return fields_of(hint)
    return PRIMITIVES[hint]


def _null_first(avro: Any) -> bool:
    return bool(avro != "null")


def fields_of(struct: Any) -> Any:
    hints = typing.get_type_hints(struct)
    fields = [
        {"name": field.name, "type": avro_of(hints[field.name])}
        for field in msgspec.structs.fields(struct)
    ]
    return {"name": struct.__name__, "fields": fields}


def shape(avro: Any) -> Any:
    match avro:
        case list():
            return [shape(branch) for branch in avro]
        case {"type": "record", "name": name, "fields": fields}:
            kept = [{"name": f["name"], "type": shape(f["type"])} for f in fields]
            return {"name": name, "fields": kept}
        case {"type": "enum", "symbols": symbols}:
            return {"symbols": symbols}
        case {"type": "array", "items": items}:
            return {"type": "array", "items": shape(items)}
    return avro


@pytest.mark.parametrize("record_type", TYPES)
def test_names_types_and_order_are_the_schemas(record_type: Any) -> None:
    assert fields_of(record_type) == shape(physical(schema(record_type.__name__)))


def defaults_of(avro: dict[str, Any]) -> dict[str, Any]:
    return {f["name"]: f["default"] for f in avro["fields"] if "default" in f}


@pytest.mark.parametrize("record_type", TYPES)
def test_defaults_are_the_schemas(record_type: Any) -> None:
    found = {}
    for field in msgspec.structs.fields(record_type):
        if field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = field.default_factory()
        elif field.default is not msgspec.NODEFAULT:
            default = field.default
            found[field.name] = [] if default == () else default

    assert found == defaults_of(schema(record_type.__name__))


@pytest.mark.parametrize("record_type", TYPES)
@settings(max_examples=30)
@given(data=st.data())
def test_a_typed_record_makes_the_round_trip(
    record_type: Any, records: Records, data: st.DataObject
) -> None:
    name = record_type.__name__
    plain = data.draw(records(name))
    record = from_dict(record_type, plain)
    value = encode_record(record)

    assert value == encode(name, plain)
    assert encode_record(decode_record(record_type, value)) == value
    assert list(to_dict(record)) == [f["name"] for f in schema(name)["fields"]]


def test_confluent_framing_is_for_a_registry_id() -> None:
    entry = ControlEntry(
        entry_id="e", kind="mode", subject="*", author="a", reason="r", created_at=0
    )

    assert encode_record(entry, schema_id=5)[:5] == b"\x00\x00\x00\x00\x05"


def test_records_are_frozen() -> None:
    entry: Any = ControlEntry(
        entry_id="e", kind="mode", subject="*", author="a", reason="r", created_at=0
    )

    with pytest.raises(AttributeError):
        entry.subject = "account:1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"outcome": "tell me a story"}, r"Ack: Invalid value - at `\$\.outcome`"),
        (
            {"sequence": "tell me"},
            r"Ack: Expected `int`, got `str` - at `\$\.sequence`",
        ),
        ({"subject": None}, r"Ack: Expected `str`, got `null` - at `\$\.subject`"),
    ],
)
def test_a_value_that_does_not_fit_is_told_by_field_not_by_value(
    changes: dict[str, Any], told: str
) -> None:
    good = {
        "ack_id": "a",
        "subject": "account:1",
        "action_id": "x",
        "sequence": 3,
        "outcome": "refused",
        "enforcer": "edge",
        "occurred_at": 5,
    }
    assert from_dict(Ack, good).outcome == "refused"

    with pytest.raises(InvalidRecord, match=told) as caught:
        from_dict(Ack, {**good, **changes})
    assert "tell" not in str(caught.value)
