"""From the columns a writer sent to the columns a reader of today expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import polars as pl

from streams.contracts.rules import rules
from streams.contracts.schemas import physical, schema
from streams.contracts.walk import Step, plan
from streams.contracts.writers import Writer

__all__ = [
    "Projection",
    "frame_of_rows",
    "frame_schema",
    "projection",
    "records_of_frame",
    "wire_schema",
]

_MOST_CACHED = 256
"""Projections kept: names times writers, with room for a registry's old versions."""
_DTYPES: Final[Mapping[str, pl.DataType]] = {
    "null": pl.Null(),
    "boolean": pl.Boolean(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "bytes": pl.Binary(),
    "string": pl.String(),
}
# Avro 1.12, "Schema Resolution", without string <-> bytes, which the rows decide.
_PROMOTIONS: Final = frozenset(
    {
        *(("int", "long"), ("int", "float"), ("int", "double")),
        *(("long", "float"), ("long", "double"), ("float", "double")),
    }
)


class Projection(NamedTuple):
    """How one writer's datums become columns of the present schema.

    ``steps`` check a datum, ``wire`` is the schema to read the block with, and
    ``columns`` make the reader's columns of the wire's, in the reader's order; None
    when they are the same.
    """

    steps: tuple[Step, ...]
    wire: dict[str, Any]
    columns: tuple[pl.Expr, ...] | None


@lru_cache(maxsize=_MOST_CACHED)
def projection(
    name: str, writer: Writer, sketch_bytes: int | None = None
) -> Projection | None:
    """Plan the columnar way from a writer's schema; None when only rows will do."""
    steps = plan(writer.schema, rules(name), sketch_bytes=sketch_bytes)
    if steps is None:
        return None
    sent = {field["name"]: field["type"] for field in writer.schema["fields"]}
    present = physical(schema(name))["fields"]
    columns = []
    for field, declared in zip(present, schema(name)["fields"], strict=True):
        column = _column(field, declared, sent)
        if column is None:
            return None
        columns.append(column)
    wire = wire_schema(writer.schema)
    same = wire["fields"] == present
    return Projection(steps, wire, None if same else tuple(columns))


def wire_schema(avro: Mapping[str, Any]) -> dict[str, Any]:
    """Give a flat physical schema of the same bytes that polars reads without loss.

    >>> wire_schema({"fields": [{"name": "n", "type": "int"}]})["fields"]
    [{'name': 'n', 'type': 'long'}]
    """
    fields = [
        {"name": field["name"], "type": _wire_type(field["type"])}
        for field in avro["fields"]
    ]
    return {"type": "record", "name": "Row", "fields": fields}


def _wire_type(avro: Any) -> Any:
    # Same bytes, but polars neither cuts a varint to 32 bits nor sees categories.
    match avro:
        case "int" | {"type": "enum"}:
            return "long"
        case list():
            return [_wire_type(branch) for branch in avro]
    return avro


def _column(
    field: Mapping[str, Any], declared: Mapping[str, Any], sent: Mapping[str, Any]
) -> pl.Expr | None:
    """Make the expression of one column; None when only rows will do."""
    name, expected = field["name"], field["type"]
    dtype = _dtype(expected)
    if name not in sent:
        default = declared.get("default", ...)
        if default is ... or isinstance(default, dict) or dtype == pl.Binary():
            simple = default is None
        else:
            simple = True
        return pl.lit(default, dtype).alias(name) if simple else None
    got, may_be_null = _unwrap(sent[name])
    wanted, takes_null = _unwrap(expected)
    if may_be_null and not takes_null:
        return None
    if isinstance(wanted, dict) and wanted["type"] == "enum":
        if got != wanted:
            return None
        symbols = wanted["symbols"]
        return pl.col(name).replace_strict(
            list(range(len(symbols))), symbols, return_dtype=dtype
        )
    if got != wanted and (got, wanted) not in _PROMOTIONS:
        return None
    return pl.col(name).cast(dtype)


def _unwrap(avro: Any) -> tuple[Any, bool]:
    match avro:
        case ["null", inner] | [inner, "null"]:
            return inner, True
    return avro, False


def _dtype(avro: Any) -> pl.DataType:
    """Give the polars type of a physical schema; a map is a list of pairs."""
    match avro:
        case str():
            return _DTYPES[avro]
        case ["null", inner] | [inner, "null"]:
            return _dtype(inner)
        case {"type": "enum"}:
            return pl.String()
        case {"type": "array", "items": items}:
            return pl.List(_dtype(items))
        case {"type": "map", "values": values}:
            pair = {"key": pl.String(), "value": _dtype(values)}
            return pl.List(pl.Struct(pair))
        case {"type": "record", "fields": fields}:
            return pl.Struct({f["name"]: _dtype(f["type"]) for f in fields})
    raise TypeError(f"no column type for {avro!r}")


@lru_cache(maxsize=_MOST_CACHED)
def frame_schema(name: str) -> pl.Schema:
    """Give the columns of a record's frames, in the order of its schema.

    >>> frame_schema("Ack")["sequence"]
    Int64
    """
    fields = physical(schema(name))["fields"]
    return pl.Schema({field["name"]: _dtype(field["type"]) for field in fields})


def frame_of_rows(name: str, records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Make a frame of decoded records."""
    maps = _maps(name)
    rows = [
        {**record, **{field: _pairs(record[field]) for field in maps}}
        for record in records
    ]
    return pl.DataFrame(rows, schema=frame_schema(name), orient="row")


def records_of_frame(name: str, frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Give the rows of a frame as records, the inverse of `frame_of_rows`."""
    maps = _maps(name)
    for record in frame.iter_rows(named=True):
        for field in maps:
            record[field] = {pair["key"]: pair["value"] for pair in record[field]}
        yield record


def _maps(name: str) -> list[str]:
    return [
        field["name"]
        for field in physical(schema(name))["fields"]
        if isinstance(field["type"], dict) and field["type"]["type"] == "map"
    ]


def _pairs(mapping: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in mapping.items()]
