"""What the broker sends for one partition, as columns instead of an object a record.

aiokafka makes two objects of each record and a tuple of each of its headers: 4 µs a
record with what it takes to free them. Here the lengths that chain the records are
followed one by one, all else is read by numpy, and keys and headers are cut out when
somebody asks. The layout is version 2 of `RecordBatch` in Kafka's protocol guide.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Self, TypeVar, overload

import numpy as np
import numpy.typing as npt
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.record.util import calc_crc32c

from streams.bus.record_batch import encode_headers
from streams.contracts.byte_column import PADDING, ByteColumn
from streams.contracts.compiled import loops

__all__ = [
    "Headers",
    "Lazy",
    "RecordColumns",
    "byte_column",
    "decode_headers",
    "header_column",
    "read_records",
]

Headers = Sequence[tuple[str, bytes | None]]
Ints = npt.NDArray[np.int64]
_Item = TypeVar("_Item")

_GROUP: Final = 7  # bits of a number in one byte of a varint
_MORE: Final = 1 << _GROUP  # the bit that says another byte follows
_MAGIC: Final = 2
# Base offset, length of what follows, leader epoch, magic, CRC-32C of what follows,
# attributes, last offset, first and last timestamp, producer, its epoch, its sequence,
# and the number of records.
_BATCH: Final = struct.Struct(">qiibIhiqqqhii")
_AFTER_LENGTH: Final = 12
_AFTER_CRC: Final = 21
_CODEC: Final = 0b111
_LOG_APPEND_TIME: Final = 0b1000
_CONTROL: Final = 0b100000
_DECODERS: Final[dict[int, Callable[[bytes], bytes]]] = {
    0: bytes,
    1: gzip_decode,
    2: snappy_decode,
    3: lz4_decode,
    4: zstd_decode,
}


class Lazy(Sequence[_Item]):
    """Stretches of one block of bytes; items are made of them once somebody asks.

    ``ends`` before ``starts`` stand for None. The block ends with `PADDING`.
    """

    def __init__(
        self,
        block: bytes,
        starts: Ints,
        ends: Ints,
        make: Callable[[bytes], _Item] | None = None,
    ) -> None:
        self._block = block
        self._starts = starts
        self._ends = ends
        self._make = make
        self._items: list[_Item] | None = None

    @property
    def column(self) -> ByteColumn:
        """The stretches as they are."""
        size = np.maximum(self._ends - self._starts, -1)
        return ByteColumn(np.frombuffer(self._block, np.uint8), self._starts, size)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> _Item: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            starts, ends = self._starts[index], self._ends[index]
            return type(self)(self._block, starts, ends, self._make)
        return self._made()[index]

    def __iter__(self) -> Iterator[_Item]:
        return iter(self._made())

    def _made(self) -> list[_Item]:
        if self._items is None:
            block, make = self._block, self._make
            places = zip(self._starts.tolist(), self._ends.tolist(), strict=True)
            items: list[Any]
            if make is None:
                items = [None if end < at else block[at:end] for at, end in places]
            else:
                items = [make(block[at:end]) for at, end in places]
            self._items = items
        return self._items


class RecordColumns(NamedTuple):
    """Consecutive records of one partition, as parallel columns."""

    offsets: Sequence[int]
    values: Sequence[bytes | None]
    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    headers: Sequence[Headers]

    def part(self, begin: int, end: int) -> Self:
        """Take the records from ``begin`` up to, not including, ``end``."""
        part = slice(begin, end)
        return type(self)(
            self.offsets[part],
            self.values[part],
            self.timestamps[part],
            self.keys[part],
            self.headers[part],
        )


def byte_column(values: Sequence[bytes | None]) -> ByteColumn:
    """Give keys or values of records as a column."""
    return values.column if isinstance(values, Lazy) else ByteColumn.of(values)


def header_column(headers: Sequence[Headers]) -> ByteColumn:
    """Give the headers of records as a column, encoded as they travel."""
    if isinstance(headers, Lazy):
        return headers.column
    return ByteColumn.of(encode_headers(some) for some in headers)


class _Batches:
    """The batches of an answer, their records back to back."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []
        self.counts: list[int] = []
        self.base_offsets: list[int] = []
        self.base_times: list[int] = []
        self.fixed_times: list[int] = []
        self.next_offset = 0

    def read(self, raw: bytes) -> bool:
        """Take an answer; False if something in it is not for this reader."""
        at = 0
        while at + _BATCH.size <= len(raw):
            (base, length, _, magic, crc, attributes, last, first_time, last_time,
             _, _, _, count) = _BATCH.unpack_from(raw, at)  # fmt: skip
            end = at + _AFTER_LENGTH + length
            if end > len(raw):
                break  # the answer ends within this batch
            codec = attributes & _CODEC
            if magic != _MAGIC or codec not in _DECODERS or count < 0:
                return False
            if calc_crc32c(raw[at + _AFTER_CRC : end]) != crc:
                return False
            if not attributes & _CONTROL:
                self.blobs.append(_DECODERS[codec](raw[at + _BATCH.size : end]))
                self.counts.append(count)
                self.base_offsets.append(base)
                self.base_times.append(first_time)
                appended = attributes & _LOG_APPEND_TIME
                self.fixed_times.append(last_time if appended else -1)
            self.next_offset = base + last + 1
            at = end
        return at > 0


def read_records(raw: bytes, position: int) -> tuple[RecordColumns, int] | None:
    """Read the records from offset ``position`` on; give them, and the next position.

    ``raw`` is what the broker sent: whole batches, the last one perhaps cut off.
    Returns None where that is not so, or a batch is of another version or damaged:
    aiokafka's own reader knows what to do, or what to say, then.
    """
    batches = _Batches()
    try:
        if not batches.read(raw):
            return None
        columns = _columns(batches)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the other reader says
        return None
    skip = int(np.searchsorted(np.asarray(columns.offsets, np.int64), position))
    if skip:  # a batch is sent whole, even if only its end was asked for
        columns = columns.part(skip, len(columns.offsets))
    return columns, max(position, batches.next_offset)


def _columns(batches: _Batches) -> RecordColumns:
    block = b"".join([*batches.blobs, bytes(PADDING)])
    starts, ends = _follow(batches, block)
    data = np.frombuffer(block, np.uint8)
    at, time = _varints(data, starts + 1)  # behind the attributes
    at, offset = _varints(data, at)
    key_at, key_size = _varints(data, at)
    key_end = key_at + key_size
    at, value_size = _varints(data, np.maximum(key_at, key_end))
    value_end = at + value_size
    header_at = np.maximum(at, value_end)
    if len(ends) and bool(np.any(header_at >= ends)):
        raise ValueError
    counts = batches.counts
    offset += np.repeat(np.array(batches.base_offsets, np.int64), counts)
    fixed = np.repeat(np.array(batches.fixed_times, np.int64), counts)
    time += np.repeat(np.array(batches.base_times, np.int64), counts)
    time = np.where(fixed >= 0, fixed, time)
    return RecordColumns(
        offset.tolist(),
        Lazy(block, at, value_end),
        time.tolist(),
        Lazy(block, key_at, key_end),
        Lazy(block, header_at, ends, _HeaderReader()),
    )


def _follow(batches: _Batches, block: bytes) -> tuple[Ints, Ints]:
    """Give where each record begins, behind its length, and where it ends.

    ``block`` has the records of the batches back to back.
    """
    blob_ends = np.cumsum([len(blob) for blob in batches.blobs], dtype=np.int64)
    counts = np.array(batches.counts, np.int64)
    begin = np.empty(int(counts.sum()), np.int64)
    end = np.empty(len(begin), np.int64)
    if loops():
        from streams.bus.record_loops import follow_loop  # noqa: PLC0415  loads numba

        data = np.frombuffer(block, np.uint8)
        if not follow_loop(data, blob_ends, counts, begin, end):
            raise ValueError
        return begin, end
    number = at = 0
    for blob_end, count in zip(blob_ends.tolist(), batches.counts, strict=True):
        for _ in range(count):
            at, size = _one_varint(block, at)
            begin[number], end[number] = at, at + size
            number, at = number + 1, at + size
        if at != blob_end:
            raise ValueError
    return begin, end


def _varints(data: npt.NDArray[np.uint8], at: Ints) -> tuple[Ints, Ints]:
    """Read a number in zigzag at each place; give the places behind, and the numbers.

    >>> block = np.frombuffer(bytes([3, 0x80, 1]), np.uint8)
    >>> [column.tolist() for column in _varints(block, np.array([0, 1]))]
    [[1, 3], [-2, 64]]
    """
    byte = data[at].astype(np.int64)
    code = byte & _MORE - 1
    behind = at + 1
    on, shift = np.flatnonzero(byte >= _MORE), _GROUP
    while len(on):
        byte = data[behind[on]].astype(np.int64)
        code[on] |= (byte & _MORE - 1) << shift
        behind[on] += 1
        on, shift = on[byte >= _MORE], shift + _GROUP
    return behind, code >> 1 ^ -(code & 1)


class _HeaderReader:
    """Reads the headers of records; many have the same ones, byte by byte."""

    def __init__(self) -> None:
        self._raw = b""
        self._headers: Headers = ()

    def __call__(self, raw: bytes) -> Headers:
        if raw != self._raw:
            self._headers = tuple(decode_headers(raw))
            self._raw = raw
        return self._headers


def decode_headers(raw: bytes) -> list[tuple[str, bytes | None]]:
    """Read the encoded headers of a record.

    >>> decode_headers(bytes([2, 2, 101, 2, 49]))
    [('e', b'1')]
    """
    return list(_headers(raw))


def _headers(raw: bytes) -> Iterator[tuple[str, bytes | None]]:
    at, count = _one_varint(raw, 0)
    for _ in itertools.repeat(None, count):
        begin, size = _one_varint(raw, at)
        name = raw[begin : begin + size].decode()
        at, size = _one_varint(raw, begin + size)
        yield name, None if size < 0 else raw[at : at + size]
        at += max(size, 0)


def _one_varint(raw: bytes, at: int) -> tuple[int, int]:
    code = shift = 0
    while True:
        byte = raw[at]
        at += 1
        code |= (byte & _MORE - 1) << shift
        if byte < _MORE:
            return at, code >> 1 ^ -(code & 1)
        shift += _GROUP
