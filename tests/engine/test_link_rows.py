"""Link rows travel in parts that fit a record, and come back as they were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from streams.contracts.stage_batch import decode_batch
from streams.engine.link_rows import LinkRow, decode_links, member_links
from streams.errors import UndecodableRecord

_WORD = st.integers(0, 2**64 - 1)
_DRAWN: dict[str, Any] = {
    "int": _WORD,
    "float": st.floats(0, 1),
    "str": st.text(),
    "list[str]": st.lists(st.text()),
    "tuple[int, int, int, int]": st.tuples(*[_WORD] * 4),
}
_LARGEST = {
    "int": 2**64 - 1,
    "float": 0.1,
    "list[str]": ["reasoning"],
    "tuple[int, int, int, int]": (2**64 - 1,) * 4,
}


def _fields(of_type: dict[str, Any]) -> dict[str, Any]:
    return {name: of_type[str(kind)] for name, kind in LinkRow.__annotations__.items()}


_ROWS = st.lists(st.builds(LinkRow, **_fields(_DRAWN)), max_size=5)
_RECORD_LIMIT = 1_000_000
"""Kafka's default max.message.bytes is a little more than that."""


@given(_ROWS)
@settings(max_examples=30)
def test_rows_come_back(rows: list[LinkRow]) -> None:
    tuples = map(astuple, rows)
    [output] = member_links(tuples, source_partition=3, closed_minute=9)
    assert output.value is not None
    batch = decode_batch("MemberLinks", output.value)
    assert (batch.source_partition, batch.closed_minute, batch.last) == (3, 9, True)
    assert decode_links(batch.payload) == rows


@pytest.mark.parametrize("length", [1, 64, 512])
def test_a_large_batch_goes_in_parts_that_fit(length: int) -> None:
    row = LinkRow(**_fields(_LARGEST | {"str": "f" * length}))
    rows = [row] * 5000
    outputs = member_links(map(astuple, rows), source_partition=0, closed_minute=9)
    batches = [decode_batch("MemberLinks", o.value) for o in outputs if o.value]
    assert [batch.part for batch in batches] == list(range(len(batches)))
    assert [batch.last for batch in batches] == [*[False] * (len(batches) - 1), True]
    assert [link for b in batches for link in decode_links(b.payload)] == rows
    sizes = [len(output.value or b"") for output in outputs]
    assert max(sizes) < _RECORD_LIMIT
    assert sum(sizes) > 0.8 * 900_000 * (len(batches) - 1)
    assert len({output.event_id for output in outputs}) == len(outputs)


@given(st.binary(max_size=30))
def test_another_payload_is_refused(payload: bytes) -> None:
    try:
        rows = decode_links(payload)
    except UndecodableRecord:
        return
    assert all(isinstance(row, LinkRow) for row in rows)
