"""Which schema a value was written with: the two framings and the known writers.

Single-object encoding (Avro 1.12 specification) is ``C3 01`` and the 8-byte
fingerprint of the writer's schema; Confluent's is ``00`` and a 4-byte big-endian id of
a schema registry. Contracts do no network: a shell adds registry schemas, or gives a
resolver that looks them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import fastavro
import msgspec

from streams.contracts.rules import content_key, content_schema_field
from streams.contracts.schemas import fingerprint, physical, schema, versions
from streams.errors import ContentRefused, ContractError, UndecodableRecord
from streams.errors import UnknownSchema as _UnknownSchema

__all__ = [
    "CONFLUENT_HEADER_BYTES",
    "SINGLE_OBJECT_HEADER_BYTES",
    "SINGLE_OBJECT_MARKER",
    "Writer",
    "WriterSchemas",
    "confluent_header",
    "header_bytes",
    "shipped_writers",
    "single_object_header",
]

SINGLE_OBJECT_MARKER = b"\xc3\x01"
CONFLUENT_MARKER = b"\x00"
SINGLE_OBJECT_HEADER_BYTES = 10
CONFLUENT_HEADER_BYTES = 5
_LARGEST_SCHEMA_ID = 2**31 - 1
# Producers that were pointed at the topic with their old JSON serialiser send these.
_JSON_STARTS = b'{["'


class Writer:
    """A writer's schema, prepared for both decoders."""

    def __init__(self, name: str, avro: dict[str, Any]) -> None:
        self.schema = physical(avro)
        self.fingerprint = fingerprint(avro)
        self.parsed = fastavro.parse_schema(self.schema)
        self.is_present = self.fingerprint == _present_fingerprint(name)
        self.refused_field = content_schema_field(avro)


class WriterSchemas:
    """The writer schemas that a reader of one record accepts.

    All kept versions are known by fingerprint. Registry ids are added with
    :meth:`add_id`, or asked of ``resolver`` (id -> schema, raising `KeyError` when the
    registry has none) once each.

    >>> writers = WriterSchemas("Ack")
    >>> writers.add_id(7, schema("Ack"))
    >>> writers.find(confluent_header(7)).is_present
    True
    """

    def __init__(
        self,
        name: str,
        *,
        resolver: Callable[[int], dict[str, Any]] | None = None,
    ) -> None:
        self.name = name
        self._resolver = resolver
        self._by_header: dict[bytes, Writer] = {}
        for version in (*versions(name).values(), schema(name)):
            self.add(version)

    def add(self, avro: dict[str, Any]) -> None:
        """Accept values framed with this schema's fingerprint."""
        writer = Writer(self.name, avro)
        self._by_header[SINGLE_OBJECT_MARKER + writer.fingerprint] = writer

    def add_id(self, schema_id: int, avro: dict[str, Any]) -> None:
        """Accept values framed with this registry id."""
        self._by_header[confluent_header(schema_id)] = Writer(self.name, avro)

    def find(self, value: bytes) -> Writer:
        """Give the writer that the value's framing names.

        Raises `UndecodableRecord` without a framing, `UnknownSchema` when nobody knows
        the schema, `ContentRefused` when that schema has a field for prompt or output
        text, or the value is a JSON object with one.
        """
        header = header_bytes(value)
        writer = self._by_header.get(header)
        if writer is None:
            writer = self._resolve(header, value)
        if writer.refused_field is not None:
            raise ContentRefused(
                f"the writer's schema of {self.name} has the field "
                f"{writer.refused_field!r}, which is for prompt or output text; send "
                "events without it"
            )
        return writer

    def _resolve(self, header: bytes, value: bytes) -> Writer:
        if header.startswith(CONFLUENT_MARKER):
            schema_id = int.from_bytes(header[1:], "big")
            if self._resolver is not None:
                try:
                    self.add_id(schema_id, self._resolver(schema_id))
                except KeyError:
                    pass  # told below, as for any other id that nobody knows
                else:
                    return self._by_header[header]
            raise _UnknownSchema(
                f"{self.name}: no schema has the registry id {schema_id}; set "
                "registry_url to the registry that gave it"
            )
        if header:
            raise _UnknownSchema(
                f"{self.name}: no kept version has the fingerprint {header[2:].hex()}; "
                "register the writer's schema, or add it to schemas/versions"
            )
        raise _unframed(self.name, value)

    def __iter__(self) -> Iterator[Writer]:
        return iter(self._by_header.values())


def header_bytes(value: bytes) -> bytes:
    """Cut the framing off the front of a value; empty when it has none.

    >>> header_bytes(bytes([0, 0, 0, 0, 7, 99])).hex()
    '0000000007'
    """
    if value.startswith(SINGLE_OBJECT_MARKER):
        size = SINGLE_OBJECT_HEADER_BYTES
    elif value.startswith(CONFLUENT_MARKER):
        size = CONFLUENT_HEADER_BYTES
    else:
        return b""
    return value[:size] if len(value) >= size else b""


def single_object_header(avro: dict[str, Any]) -> bytes:
    """Give the ten bytes in front of a datum of this schema."""
    return SINGLE_OBJECT_MARKER + fingerprint(avro)


def confluent_header(schema_id: int) -> bytes:
    """Give the five bytes in front of a datum of this registry id.

    >>> confluent_header(258).hex()
    '0000000102'
    """
    if not 0 <= schema_id <= _LARGEST_SCHEMA_ID:
        raise ContractError(
            f"registry id {schema_id} is not within 0 to {_LARGEST_SCHEMA_ID}"
        )
    return CONFLUENT_MARKER + schema_id.to_bytes(4, "big")


@cache
def shipped_writers(name: str) -> WriterSchemas:
    """Give the writers that ship with the package, shared: add nothing to them."""
    return WriterSchemas(name)


@cache
def _present_fingerprint(name: str) -> bytes:
    return fingerprint(schema(name))


def _unframed(name: str, value: bytes) -> ContractError:
    start = value.lstrip()[:1]
    if start and start in _JSON_STARTS:
        try:
            key = content_key(msgspec.json.decode(value))
        except (msgspec.DecodeError, RecursionError):
            key = None
        if key is not None:
            return ContentRefused(
                f"{name}: a JSON object with the key {key!r}, which is for prompt or "
                "output text; send Avro events without it"
            )
    return UndecodableRecord(
        f"{name}: {len(value)} bytes without a framing (C3 01 and a fingerprint, or 00 "
        "and a registry id); serialise with Avro"
    )
