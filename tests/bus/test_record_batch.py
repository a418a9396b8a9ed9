"""Batches made from columns are what aiokafka makes and reads record by record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams.bus.record_batch import (
    MOST_BYTES,
    RecordBatch,
    encode_headers,
    record_batches,
)
from streams.contracts.compiled import loops, plain_numpy

_TIME = 1_767_225_600_123
_PRODUCER = (7, 3, 41)

maybe_bytes = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(max_size=9), maybe_bytes), max_size=4)
records = st.lists(st.tuples(maybe_bytes, maybe_bytes, headers), min_size=1)


def _made(of: list[tuple[Any, Any, Any]]) -> list[RecordBatch]:
    keys, values, headers_of = (list(column) for column in zip(*of, strict=True))
    tails = [encode_headers(found) for found in headers_of]
    batches = list(record_batches(keys, values, tails, _TIME))
    for batch in batches:
        batch._set_producer_state(*_PRODUCER)
    return batches


def _read(batch: RecordBatch) -> Any:
    found = MemoryRecords(bytes(batch._build())).next_batch()
    assert found is not None
    assert found.validate_crc()
    return found


def _all(batches: list[RecordBatch]) -> list[tuple[Any, Any, Any]]:
    return [(r.key, r.value, r.headers) for b in batches for r in _read(b)]


@given(records)
def test_what_is_read_is_what_was_given(of: list[tuple[Any, Any, Any]]) -> None:
    assert _all(_made(of)) == of
    assert loops()
    built = [bytes(batch._build()) for batch in _made(of)]
    with plain_numpy():
        assert [bytes(batch._build()) for batch in _made(of)] == built


@given(st.tuples(st.binary(max_size=20), st.binary(max_size=20), headers))
def test_an_uncompressed_batch_equals_aiokafkas(of: tuple[Any, Any, Any]) -> None:
    [batch] = _made([of])
    plain = batch.size()
    built = bytes(batch._build())
    if len(built) < plain:
        return  # it was compressed
    builder = DefaultRecordBatchBuilder(2, 0, 0, *_PRODUCER, MOST_BYTES)
    builder.append(0, _TIME, of[0], of[1], of[2])
    assert built == bytes(builder.build())


def test_offsets_sizes_and_state_of_a_batch_with_many_records() -> None:
    rng = np.random.default_rng(3)
    of = [(b"k%d" % n, rng.bytes(n % 5000), []) for n in range(300)]
    [batch] = _made(of)
    read = _read(batch)
    assert batch.record_count() == 300
    assert (read.producer_id, read.producer_epoch, read.base_sequence) == _PRODUCER
    assert read.last_offset_delta == 299
    assert [r.offset for r in read] == list(range(300))
    assert {r.timestamp for r in _read(batch)} == {_TIME}
    assert _all([batch]) == of


def test_long_and_many_records_are_cut_into_batches_in_order() -> None:
    rng = np.random.default_rng(5)
    sizes = [10, MOST_BYTES + 5, 20, MOST_BYTES // 2, MOST_BYTES // 2, 30, 0]
    of = [(b"%d" % n, rng.bytes(size), []) for n, size in enumerate(sizes)]
    batches = _made(of)
    assert [batch.record_count() for batch in batches] == [1, 1, 2, 3]
    assert all(b.size() <= MOST_BYTES + 100 for b in batches if b.record_count() > 1)
    assert _all(batches) == of


def test_state_rows_are_compressed_and_built_once() -> None:
    of = [(b"a%d" % n, bytes(400) + b"%d" % n, []) for n in range(1000)]
    [batch] = _made(of)
    plain = batch.size()
    built = batch._build()
    assert len(built) == batch.size() < plain / 5
    batch._set_producer_state(8, 0, 0)
    assert batch._build() is built  # a retry repeats the very same bytes
    assert _all([batch]) == of


@pytest.mark.parametrize("count", [63, 64, 65, 8191, 8192, 8193])
def test_the_places_where_an_offset_gets_longer(count: int) -> None:
    [batch] = _made([(b"", None, [])] * count)
    assert [r.offset for r in _read(batch)] == list(range(count))
