"""Answers of the broker, read as columns, are what aiokafka reads record by record."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from streams.bus.record_columns import (
    RecordColumns,
    byte_column,
    decode_headers,
    header_column,
    read_records,
)
from streams.contracts.compiled import plain_numpy

_CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_ATTRIBUTES_AT, _CRC_AT, _AFTER_CRC = 21, 17, 21

maybe_bytes = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(max_size=9), maybe_bytes), max_size=4)
times = st.integers(0, 2_000_000_000_000)
records = st.lists(st.tuples(times, maybe_bytes, maybe_bytes, headers), min_size=1)
batches = st.lists(records, min_size=1, max_size=4)
gaps = st.lists(st.integers(0, 300), min_size=4, max_size=4)


def _batch(of: list[Any], base: int, codec: int = 0, attributes: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, 5, 1, 9, 1 << 24)
    for at, (time, key, value, found) in enumerate(of):
        builder.append(at, time, key, value, found)
    raw = bytearray(builder.build())
    raw[:8] = struct.pack(">q", base)
    raw[_ATTRIBUTES_AT + 1] |= attributes
    raw[_CRC_AT:_AFTER_CRC] = struct.pack(">I", calc_crc32c(bytes(raw[_AFTER_CRC:])))
    return bytes(raw)


def _answer(of: list[list[Any]], gap: list[int], codec: int = 0) -> bytes:
    raw, base = b"", 0
    for some, skipped in zip(of, gap, strict=False):
        base += skipped
        raw += _batch(some, base, codec)
        base += len(some)
    return raw


def _as_aiokafka_reads(raw: bytes) -> list[Any]:
    memory, found = MemoryRecords(raw), []
    while memory.has_next():
        batch = memory.next_batch()
        assert batch is not None
        found += [(r.offset, r.value, r.timestamp, r.key, r.headers) for r in batch]
    return found


def _rows(columns: RecordColumns) -> list[Any]:
    return [
        (*row[:4], [*row[4]]) for row in map(tuple, zip(*columns, strict=True))
    ]  # fmt: skip


@given(batches, gaps, st.sampled_from(sorted(_CODECS)))
def test_all_columns_equal_what_aiokafka_reads(
    of: list[list[Any]], gap: list[int], codec: str
) -> None:
    raw = _answer(of, gap, _CODECS[codec])
    read = read_records(raw, 0)
    assert read is not None
    columns, position = read
    assert _rows(columns) == _as_aiokafka_reads(raw)
    assert position == columns.offsets[-1] + 1


@given(batches, gaps)
def test_without_loops_the_columns_are_the_same(of: list[Any], gap: list[int]) -> None:
    raw = _answer(of, gap)
    with plain_numpy():
        plain = read_records(raw, 0)
    read = read_records(raw, 0)
    assert plain is not None
    assert read is not None
    assert _rows(plain[0]) == _rows(read[0])


@given(batches, gaps, st.integers(0, 1500))
def test_what_lies_before_the_position_is_left_out(
    of: list[list[Any]], gap: list[int], position: int
) -> None:
    raw = _answer(of, gap)
    read = read_records(raw, position)
    assert read is not None
    wanted = [row for row in _as_aiokafka_reads(raw) if row[0] >= position]
    assert _rows(read[0]) == wanted
    assert read[1] >= position


@given(records, st.integers(0, 99), st.integers(0, 99))
def test_parts_are_slices_of_each_column(of: list[Any], one: int, other: int) -> None:
    read = read_records(_batch(of, 7), 0)
    assert read is not None
    begin, end = sorted((one, other))
    assert _rows(read[0].part(begin, end)) == _rows(read[0])[begin:end]
    for column in read[0]:
        assert column[0] == next(iter(column))
        assert column[-1] == [*column][-1]


@given(batches, gaps)
def test_columns_hold_the_bytes_of_their_items(of: list[Any], gap: list[int]) -> None:
    read = read_records(_answer(of, gap), 0)
    assert read is not None
    columns = read[0].part(1, 5)
    for items in (columns.keys, columns.values):
        assert byte_column(items).values() == byte_column([*items]).values() == [*items]
    plain = header_column([[*found] for found in columns.headers])
    assert header_column(columns.headers).values() == plain.values()
    for raw, found in zip(plain.values(), columns.headers, strict=True):
        assert decode_headers(raw or b"") == [*found]


def test_the_cut_off_end_of_an_answer_is_left_for_the_next() -> None:
    rows = [(n, b"k", b"v" * n, []) for n in range(20)]
    whole, rest = _batch(rows, 0), _batch(rows, 20)
    for cut in (1, 60, len(rest) - 1):
        read = read_records(whole + rest[:cut], 0)
        assert read is not None
        assert read[0].offsets == [*range(20)]
        assert read[1] == 20


@given(records, st.data())
def test_a_damaged_answer_is_left_to_aiokafka(
    of: list[Any], data: st.DataObject
) -> None:
    raw = bytearray(_batch(of, 0))
    at = data.draw(st.integers(_CRC_AT, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert read_records(bytes(raw), 0) is None


def test_a_batch_of_another_version_is_left_to_aiokafka() -> None:
    raw = bytearray(_batch([(0, b"k", b"v", [])], 0))
    raw[16] = 1
    assert read_records(bytes(raw), 0) is None
    assert read_records(b"", 0) is None


def test_control_batches_give_no_records_but_move_the_position() -> None:
    rows = [(5, b"k", b"v", [])]
    raw = _batch(rows, 0) + _batch(rows, 1, attributes=0b100000)
    read = read_records(raw, 0)
    assert read is not None
    assert read[0].offsets == [0]
    assert read[1] == 2


def test_the_brokers_own_time_beats_the_producers() -> None:
    raw = _batch([(5, b"k", b"v", []), (9, b"k", b"v", [])], 0, attributes=0b1000)
    read = read_records(raw, 0)
    assert read is not None
    assert read[0].timestamps == [9, 9]
    assert _rows(read[0]) == _as_aiokafka_reads(raw)


@pytest.mark.parametrize("size", [0, 62, 63, 64, 8190, 8192, 1 << 20, 1 << 21])
def test_long_values_have_long_lengths(size: int) -> None:
    value = np.random.default_rng(1).bytes(size)
    read = read_records(_batch([(0, None, value, [])] * 2, 0), 0)
    assert read is not None
    assert [*read[0].values] == [value, value]
