"""Bring the subjects of a schema registry in line with the shipped schemas.

A topic's values are registered under ``<topic>-value``, which is what Confluent's
serialisers look for by default (their subject strategy TOPIC), at the compatibility
that topics.toml gives the topic.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from streams.bus.schema_registry import public_url, registry_client, unavailable
from streams.contracts import load_topics, schema, versions
from streams.errors import DistillwatchError, SchemaMismatch

__all__ = ["Subject", "check_schemas", "register_schemas"]

_INCOMPATIBLE = 409  # HTTP status of Confluent's API
_NOT_FOUND = 404


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A topic's subject as the registry has it.

    ``schema_id`` is the id of the present schema, None when it is not registered;
    ``found`` is the subject's own compatibility, None when it has none.
    """

    name: str
    record: str
    schema_id: int | None
    compatibility: str
    found: str | None

    @property
    def in_line(self) -> bool:
        """Whether the registry has what the package ships."""
        return self.schema_id is not None and self.found == self.compatibility


def register_schemas(url: str) -> list[Subject]:
    """Register every kept version of each topic's record; return the subjects.

    Doing it again changes nothing. Raises `SchemaMismatch` when a subject holds a
    schema that ours is not compatible with, `RegistryUnavailable` without an answer.
    """
    with registry_client(url) as client, _answers(url):
        for name, record, compatibility in _wanted():
            for avro in (*versions(record).values(), schema(record)):
                _register(client, url, name, avro)
                # A subject has a level of its own only once it holds something.
                client.set_compatibility(name, compatibility)
        return _subjects(client)


def check_schemas(url: str) -> list[Subject]:
    """Return the subjects of all topics and change nothing.

    Raises `RegistryUnavailable` without an answer.
    """
    with registry_client(url) as client, _answers(url):
        return _subjects(client)


def _wanted() -> Iterator[tuple[str, str, str]]:
    for topic in load_topics().values():
        if topic.value is not None:
            yield f"{topic.name}-value", topic.value, topic.compatibility


def _subjects(client: SchemaRegistryClient) -> list[Subject]:
    held = set(client.get_subjects())
    return [
        Subject(
            name=name,
            record=record,
            schema_id=_id(client, name, record) if name in held else None,
            compatibility=compatibility,
            found=_level(client, name) if name in held else None,
        )
        for name, record, compatibility in _wanted()
    ]


def _id(client: SchemaRegistryClient, name: str, record: str) -> int | None:
    try:
        found = client.lookup_schema(name, _schema(schema(record)))
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            return None
        raise
    return found.schema_id


def _level(client: SchemaRegistryClient, name: str) -> str | None:
    try:
        return str(client.get_compatibility(name))
    except SchemaRegistryError as error:
        if error.http_status_code == _NOT_FOUND:
            return None
        raise


def _register(
    client: SchemaRegistryClient, url: str, name: str, avro: dict[str, Any]
) -> None:
    try:
        client.register_schema(name, _schema(avro))
    except SchemaRegistryError as error:
        if error.http_status_code != _INCOMPATIBLE:
            raise
        raise SchemaMismatch(
            f"{name} at {public_url(url)} holds a schema that {avro['name']} is not "
            f"compatible with ({error.error_message}); the topic may belong to another "
            "product, else delete the wrong version from the registry"
        ) from error


def _schema(avro: dict[str, Any]) -> Schema:
    return Schema(json.dumps(avro), "AVRO")


@contextmanager
def _answers(url: str) -> Iterator[None]:
    try:
        yield
    except DistillwatchError:
        raise
    except Exception as error:
        # The client lets the exceptions of its own HTTP library through.
        raise unavailable(url, error) from error
