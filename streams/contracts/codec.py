"""Records one by one: Avro with either framing, checked both ways.

This is the reference for :mod:`streams.contracts.columnar`, which must give the same.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from typing import Any

import fastavro

from streams.contracts.datum_encoder import Encode, datum_encoder
from streams.contracts.plain_values import NotPlainError
from streams.contracts.rules import check_record
from streams.contracts.schemas import physical, schema
from streams.contracts.writers import (
    Writer,
    WriterSchemas,
    confluent_header,
    header_bytes,
    shipped_writers,
    single_object_header,
)
from streams.errors import InvalidRecord, UndecodableRecord

__all__ = [
    "decode",
    "decode_datum",
    "encode",
    "encode_datum",
    "misfit",
    "without_logical_types",
]

_INT_LIMIT = 2**31


def encode(
    name: str, record: Mapping[str, Any], *, schema_id: int | None = None
) -> bytes:
    r"""Encode one record; missing fields take their defaults, times are int ms.

    Single-object framing, or Confluent's when ``schema_id`` is given. Raises
    `InvalidRecord` when a field is missing or of the wrong type.

    >>> links = {"source_partition": 3, "part": 0, "last": True, "closed_minute": 29,
    ...          "payload": b"x"}
    >>> encode("MemberLinks", links)[10:], encode("MemberLinks", links, schema_id=1)
    (b'\x06\x00\x01:\x02x', b'\x00\x00\x00\x00\x01\x06\x00\x01:\x02x')
    """
    header = _present_header(name) if schema_id is None else confluent_header(schema_id)
    return header + encode_datum(name, record)


def encode_datum(name: str, record: Mapping[str, Any]) -> bytes:
    """Encode one record without framing."""
    encoder = _present_encoder(name)
    if encoder is not None:
        try:
            return encoder(record)
        except Exception:  # noqa: BLE001, S110  any misfit is left to fastavro
            pass
    file = io.BytesIO()
    try:
        fastavro.schemaless_writer(
            file, _present_parsed(name), record, strict_allow_default=True
        )
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        reason = misfit(name, record) or "the record does not fit its schema"
        raise InvalidRecord(f"{name}: {reason}") from error
    return file.getvalue()


def decode(
    name: str,
    value: bytes,
    *,
    writers: WriterSchemas | None = None,
    sketch_bytes: int | None = None,
) -> dict[str, Any]:
    """Decode one value of either framing, projected to the present schema.

    ``writers`` defaults to the kept versions. Fields that the writer did not have take
    their defaults; times are int milliseconds. Raises the four dead-letter errors.

    >>> links = {"source_partition": 3, "part": 0, "last": True, "closed_minute": 29,
    ...          "payload": b"x"}
    >>> decode("MemberLinks", encode("MemberLinks", links)) == links
    True
    """
    writer = (writers or shipped_writers(name)).find(value)
    datum = value[len(header_bytes(value)) :]
    return decode_datum(name, datum, writer, sketch_bytes=sketch_bytes)


def decode_datum(
    name: str, datum: bytes, writer: Writer, *, sketch_bytes: int | None = None
) -> dict[str, Any]:
    """Decode one datum without framing, of a known writer."""
    file = io.BytesIO(datum)
    try:
        record = fastavro.schemaless_reader(file, writer.parsed, None)
        if not writer.is_present and file.tell() == len(datum):
            # A second pass, since skipping a dropped field does not see a cut datum.
            file.seek(0)
            reader = _present_parsed(name)
            record = fastavro.schemaless_reader(file, writer.parsed, reader)
    except Exception as error:  # noqa: BLE001  fastavro lets many types of its C code out
        raise _undecodable(name, datum, error) from None
    if file.tell() != len(datum):
        raise UndecodableRecord(
            f"{name}: {len(datum) - file.tell()} bytes are left behind the record"
        )
    if not isinstance(record, dict):
        raise UndecodableRecord(f"{name}: the writer's schema is not a record")
    for field in _int_fields(name):
        if not -_INT_LIMIT <= record[field] < _INT_LIMIT:
            raise InvalidRecord(f"{name}.{field} is no 32-bit integer")
    check_record(name, record, sketch_bytes=sketch_bytes)
    return record


def _undecodable(name: str, datum: bytes, error: Exception) -> UndecodableRecord:
    # The message of the cause may quote bytes of the record; its class cannot.
    return UndecodableRecord(
        f"{name}: {len(datum)} bytes do not fit the writer's schema "
        f"({type(error).__name__})"
    )


def without_logical_types(avro: Any) -> Any:
    """Strip logical types but keep defaults, which a reader's schema needs.

    >>> without_logical_types({"type": "long", "logicalType": "timestamp-millis"})
    {'type': 'long'}
    """
    if isinstance(avro, list):
        return [without_logical_types(branch) for branch in avro]
    if not isinstance(avro, dict):
        return avro
    kept = {key: value for key, value in avro.items() if key != "logicalType"}
    for key in ("type", "items", "values"):
        if key in kept:
            kept[key] = without_logical_types(kept[key])
    if "fields" in kept:
        kept["fields"] = [without_logical_types(field) for field in kept["fields"]]
    return kept


@cache
def _present_parsed(name: str) -> Any:
    return fastavro.parse_schema(without_logical_types(schema(name)))


@cache
def _present_encoder(name: str) -> Encode | None:
    try:
        return datum_encoder(without_logical_types(schema(name)))
    except NotPlainError:
        return None


@cache
def _present_header(name: str) -> bytes:
    return single_object_header(schema(name))


@cache
def _int_fields(name: str) -> tuple[str, ...]:
    fields = physical(schema(name))["fields"]
    return tuple(field["name"] for field in fields if field["type"] == "int")


def misfit(name: str, record: Mapping[str, Any]) -> str | None:
    """Say which field does not fit, without its value; None when all seem to."""
    fields = {field["name"]: field for field in schema(name)["fields"]}
    for field in record:
        if field not in fields:
            return f"the schema has no field {field!r}"
    for field, declared in fields.items():
        if field not in record and "default" not in declared:
            return f"field {field!r} is missing and has no default"
        if field in record and not _fits(declared["type"], record[field]):
            return f"field {field!r} is not of the schema's type"
    return None


def _fits(avro: Any, value: Any) -> bool:
    file = io.BytesIO()
    parsed = fastavro.parse_schema(without_logical_types(avro))
    try:
        fastavro.schemaless_writer(file, parsed, value)
    except (TypeError, ValueError, OverflowError, AttributeError):
        return False
    return True
