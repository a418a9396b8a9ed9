"""Projection: which writers go by columns, and that both ways give the same."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import polars as pl
import pytest

from streams.contracts.codec import decode
from streams.contracts.columnar import decode_chunk
from streams.contracts.projection import (
    frame_of_rows,
    frame_schema,
    projection,
    records_of_frame,
)
from streams.contracts.schemas import physical, schema
from streams.contracts.writers import Writer, WriterSchemas, single_object_header

ACK = {
    "ack_id": "a",
    "subject": "account:1",
    "action_id": "x",
    "sequence": 3,
    "outcome": "refused",
    "enforcer": "edge",
    "occurred_at": 5,
    "detail": None,
}


def changed(field: str, avro: Any) -> dict[str, Any]:
    """The schema of Ack with another type of one field, or without it."""
    writer = schema("Ack")
    fields = [f for f in writer["fields"] if f["name"] != field]
    if avro is not None:
        fields.append({"name": field, "type": avro})
    return {**writer, "fields": fields}


LONGER_ENUM = {
    "type": "enum",
    "name": "Outcome",
    "symbols": ["expired", "refused", "new"],
    "default": "new",
}


@pytest.mark.parametrize(
    ("avro", "by_columns"),
    [
        (schema("Ack"), True),
        (changed("sequence", "int"), True),
        (changed("detail", None), True),
        (changed("detail", "null"), False),
        (changed("detail", "string"), True),
        (changed("detail", ["string", "null"]), True),
        (changed("sequence", ["null", "long"]), False),
        (changed("ack_id", "bytes"), False),
        (changed("outcome", LONGER_ENUM), False),
        (changed("sequence", None), False),
    ],
)
def test_columns_and_rows_read_each_writer_alike(
    avro: dict[str, Any], by_columns: bool
) -> None:
    writers = WriterSchemas("Ack")
    writers.add(avro)
    record = {
        **ACK,
        "ack_id": b"a" if _has(avro, "ack_id", "bytes") else "a",
        "detail": "late" if _has(avro, "detail", "string") else None,
    }
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(physical(avro)), record)
    value = single_object_header(avro) + file.getvalue()
    chunk = decode_chunk("Ack", [value], writers=writers)

    assert (projection("Ack", Writer("Ack", avro)) is not None) == by_columns
    if _has(avro, "sequence", None):
        assert "UndecodableRecord" in repr(chunk.rejected)
    else:
        assert chunk.frame.schema == frame_schema("Ack")
        assert chunk.frame.to_dicts() == [decode("Ack", value, writers=writers)]


def _has(avro: dict[str, Any], field: str, kind: str | None) -> bool:
    kinds = {f["name"]: f["type"] for f in avro["fields"]}
    return kinds.get(field) == kind


def test_columns_are_of_the_schemas_types_in_its_order() -> None:
    columns = frame_schema("RequestEvent")

    assert columns.names() == [f["name"] for f in schema("RequestEvent")["fields"]]
    assert columns["occurred_at"] == pl.Int64
    assert columns["request_temperature"] == pl.Float64
    assert columns["response_finish_reasons"] == pl.List(pl.String)
    assert columns["sketch"] == pl.Binary
    assert frame_schema("FacetSums")["part"] == pl.Int32
    assert frame_schema("Ack")["outcome"] == pl.String


def test_maps_survive_the_way_through_a_frame() -> None:
    action = {
        "action_id": "a",
        "subject": "account:1",
        "sequence": 1,
        "rung": "throttle",
        "parameters": {"requests_per_minute": "3"},
        "mode": "shadow",
        "issued_at": 1,
        "expires_at": 2,
        "campaign_id": "c",
        "reason_codes": ["r"],
        "evidence": {
            "features": [
                {"name": "n", "value": 1.0, "benign_quantile": 0.9, "weight": 1.0}
            ],
            "e_value": 20.0,
            "budget_spent": 0.1,
        },
        "scenario_version": "",
        "model_version": "",
        "human_review": False,
        "appeal_token": None,
    }

    frame = frame_of_rows("Action", [action])

    assert frame.schema == frame_schema("Action")
    assert list(records_of_frame("Action", frame)) == [action]
