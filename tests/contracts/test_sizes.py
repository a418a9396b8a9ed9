"""Sizes from columns: those of the bytes that the row codec writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import encode_datum
from streams.contracts.columnar import read_wire
from streams.contracts.projection import wire_schema
from streams.contracts.rules import Rules
from streams.contracts.schemas import physical, schema
from streams.contracts.sizes import encoded_sizes
from streams.contracts.walk import plan

Records = Callable[[str], st.SearchStrategy[Any]]


@pytest.mark.parametrize(
    "name", ["RequestEvent", "Ack", "ControlEntry", "FacetSums", "MemberLinks"]
)
@settings(max_examples=60)
@given(data=st.data())
def test_sizes_are_those_of_the_encoded_records(
    name: str, records: Records, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(records(name), min_size=1, max_size=6))
    datums = [encode_datum(name, record) for record in drawn]
    avro = physical(schema(name))
    steps = plan(avro, Rules())
    assert steps is not None
    frame = read_wire(wire_schema(avro), b"".join(datums), len(datums))

    assert encoded_sizes(frame, steps).tolist() == [len(datum) for datum in datums]
