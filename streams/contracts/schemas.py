"""The Avro schemas that ship with the package, their versions and fingerprints.

A wheel carries them as ``streams/_schemas``; a checkout (or an editable install) has
them in ``schemas/`` beside the package. Every version that was ever released is kept
under ``versions/NAME.vN.avsc``, so that old records stay readable.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import fastavro.schema

from streams.errors import SchemaNotFound

__all__ = [
    "fingerprint",
    "physical",
    "schema",
    "schema_folder",
    "schema_names",
    "versions",
]

_SUFFIX = ".avsc"


@cache
def schema_folder() -> Traversable:
    """Find the folder of schemas and topics.toml: in the wheel, else the checkout."""
    packaged = resources.files("streams") / "_schemas"
    if packaged.is_dir():
        return packaged
    checkout = Path(__file__).parents[2] / "schemas"
    if checkout.is_dir():
        return checkout
    raise SchemaNotFound(
        f"no schemas: neither {packaged} nor {checkout} is a folder; "
        "reinstall distillwatch"
    )


@cache
def schema_names() -> tuple[str, ...]:
    """List the records that have a schema, sorted.

    >>> "RequestEvent" in schema_names()
    True
    """
    names = (entry.name for entry in schema_folder().iterdir())
    return tuple(sorted(n.removesuffix(_SUFFIX) for n in names if n.endswith(_SUFFIX)))


@cache
def _text(name: str) -> str:
    if name not in schema_names():
        raise SchemaNotFound(
            f"no schema is called {name!r}; shipped: {', '.join(schema_names())}"
        )
    return (schema_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """Give the present schema of a record, as written in its .avsc file.

    >>> schema("Ack")["fields"][0]["name"]
    'ack_id'
    """
    return _parse(name, _text(name))


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise SchemaNotFound(f"schema {name} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise SchemaNotFound(f"schema {name} is not a record")
    return parsed


def versions(name: str) -> dict[int, dict[str, Any]]:
    """Give every kept version of a record's schema, oldest first, the present last.

    >>> versions("Ack")[1]["name"]
    'Ack'
    """
    return {number: _parse(name, text) for number, text in _version_texts(name)}


@cache
def _version_texts(name: str) -> tuple[tuple[int, str], ...]:
    _text(name)  # an unknown name is told as such
    start = f"{name}.v"
    found = []
    for entry in (schema_folder() / "versions").iterdir():
        number = entry.name.removeprefix(start).removesuffix(_SUFFIX)
        if entry.name == f"{start}{number}{_SUFFIX}" and number.isdigit():
            found.append((int(number), entry.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def physical(avro: Any) -> Any:
    """Strip logical types, docs, defaults and aliases: what the bytes look like.

    Timestamps become plain ``long`` milliseconds. The binary encoding and the
    parsing canonical form, so also the fingerprint, stay the same.

    >>> physical({"type": "long", "logicalType": "timestamp-millis"})
    'long'
    """
    match avro:
        case list():
            plain: Any = [physical(branch) for branch in avro]
        case {"type": "record", "fields": fields}:
            kept = [{"name": f["name"], "type": physical(f["type"])} for f in fields]
            plain = {**_named(avro), "fields": kept}
        case {"type": "enum", "symbols": symbols}:
            plain = {**_named(avro), "symbols": list(symbols)}
        case {"type": "fixed", "size": size}:
            plain = {**_named(avro), "size": size}
        case {"type": "array", "items": items}:
            plain = {"type": "array", "items": physical(items)}
        case {"type": "map", "values": values}:
            plain = {"type": "map", "values": physical(values)}
        case {"type": inner}:
            plain = physical(inner)
        case _:
            plain = avro
    return plain


def _named(avro: dict[str, Any]) -> dict[str, Any]:
    return {key: avro[key] for key in ("type", "name", "namespace") if key in avro}


def fingerprint(avro: dict[str, Any]) -> bytes:
    """Give the CRC-64-AVRO of the parsing canonical form, 8 bytes, little-endian.

    That is what follows ``C3 01`` in Avro's single-object encoding (Avro 1.12
    specification, "Single object encoding" and "Schema fingerprints").

    >>> fingerprint({"type": "record", "name": "R", "fields": []}).hex()
    '39f160b814c962bb'
    """
    canonical = fastavro.schema.to_parsing_canonical_form(avro)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
