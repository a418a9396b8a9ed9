"""A batch of Kafka records, made from columns, for aiokafka's producer.

aiokafka makes a batch record by record, at 1.4 µs each, and compresses it by lz4 at
level 9, which takes twenty times as long as level 1 for a fifth less bytes. The layout
is version 2 of `RecordBatch` in Kafka's protocol guide ("Record Batch"; KIP-98).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Final

import numpy as np
import numpy.typing as npt
from aiokafka.codec import lz4_encode
from aiokafka.record.util import calc_crc32c

from streams.contracts.compiled import loops
from streams.contracts.plain_values import GROUP, SHORT, varint

__all__ = ["MOST_BYTES", "RecordBatch", "encode_headers", "record_batches"]

MOST_BYTES: Final = 900_000
"""Bytes of a batch's records before compression; Kafka takes 1 MB by default."""

_NULL: Final = b"\x01"  # the length -1
# Attributes, and the timestamp as the difference to the batch's.
_PLAIN: Final = b"\0\0"
_LZ4: Final = 3
_LZ4_LEVEL: Final = 1  # measured on state rows: 0.9 ns a byte; level 9 takes 38
_MAGIC: Final = 2
_NO_LEADER: Final = -1
# Base offset, length of what follows, leader epoch, magic, CRC-32C of what follows.
_BEGIN: Final = struct.Struct(">qiibI")
_AFTER_LENGTH: Final = 12
# Attributes, last offset, first and last timestamp, producer, its epoch, its sequence,
# and the number of records.
_REST: Final = struct.Struct(">hiqqqhii")

_LONGEST_LENGTH: Final = 5
"""Bytes that a record's length takes, at most."""

Header = tuple[str, bytes | None]
Columns = tuple[Sequence[bytes | None], Sequence[bytes | None], Sequence[bytes | None]]
Ints = npt.NDArray[np.int64]


_VARINTS: Final = SHORT[::2]  # zigzag doubles what is not negative
_BOUNDS: Final = 1 << np.arange(GROUP - 1, 31, GROUP)  # more bytes from each on


def _varints(numbers: Ints) -> list[bytes]:
    if numbers.max(initial=0) < len(_VARINTS):
        return [_VARINTS[number] for number in numbers.tolist()]
    return [varint(number << 1) for number in numbers.tolist()]


def _varint_sizes(numbers: Ints) -> Ints:
    return 1 + np.searchsorted(_BOUNDS, numbers, "right")


def encode_headers(headers: Sequence[Header]) -> bytes:
    """Give the end of a record, which its headers are.

    >>> encode_headers([("e", b"1")]).hex(" ")
    '02 02 65 02 31'
    """
    parts = [varint(len(headers) << 1)]
    for name, value in headers:
        raw = name.encode()
        parts += (varint(len(raw) << 1), raw)
        parts += (_NULL,) if value is None else (varint(len(value) << 1), value)
    return b"".join(parts)


class RecordBatch:
    """Records of one partition as one batch; stands for aiokafka's `BatchBuilder`.

    ``records`` are ``count`` encoded records, ``timestamp`` is that of all, in
    milliseconds.
    """

    def __init__(self, records: bytes, count: int, timestamp: int) -> None:
        self._records = records
        self._count = count
        self._timestamp = timestamp
        self._producer = (-1, -1, -1)
        self._built: bytes | None = None

    def record_count(self) -> int:
        """Return the number of records."""
        return self._count

    def size(self) -> int:
        """Return the bytes that it takes, at most before it is built."""
        if self._built is not None:
            return len(self._built)
        return _BEGIN.size + _REST.size + len(self._records)

    def closed(self) -> bool:
        """Return True: nothing can be added."""
        return True

    def close(self) -> None:
        """Do nothing: it is closed."""

    def _set_producer_state(
        self, producer_id: int, producer_epoch: int, base_sequence: int
    ) -> None:
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytes:
        """Give the bytes to send; they are the same at a retry."""
        if self._built is None:
            records, codec = self._records, 0
            packed = lz4_encode(records, level=_LZ4_LEVEL)
            if len(packed) < len(records):
                records, codec = packed, _LZ4
            last, time = self._count - 1, self._timestamp
            rest = _REST.pack(codec, last, time, time, *self._producer, self._count)
            size = _BEGIN.size + _REST.size + len(records) - _AFTER_LENGTH
            rest += records
            begin = _BEGIN.pack(0, size, _NO_LEADER, _MAGIC, calc_crc32c(rest))
            self._built, self._records = begin + rest, b""
        return self._built


def record_batches(
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    tails: Sequence[bytes],
    timestamp: int,
) -> Iterator[RecordBatch]:
    """Put records into as few batches as hold them.

    ``tails`` are the encoded headers of each record. A value of None is a tombstone. A
    record larger than `MOST_BYTES` gets a batch of its own: it may still be small
    enough once it is compressed.

    >>> values = [bytes(800_000)] * 2
    >>> batches = record_batches([b"a", b"b"], values, [encode_headers([])] * 2, 0)
    >>> [batch.record_count() for batch in batches]
    [1, 1]
    """
    key_sizes, value_sizes = _sizes(keys), _sizes(values)
    tail_sizes = np.fromiter(map(len, tails), np.int64, len(tails))
    fixed = len(_PLAIN) + tail_sizes
    for sizes in (key_sizes, value_sizes):
        fixed += np.maximum(sizes, 0) + _varint_sizes(sizes)
    # The first bytes of a record are its length, and its offset takes three at most.
    ends = np.cumsum(fixed + _varint_sizes(fixed) + 3)
    begin = 0
    while begin < len(keys):
        limit = MOST_BYTES + (int(ends[begin - 1]) if begin else 0)
        end = max(int(np.searchsorted(ends, limit, "right")), begin + 1)
        part = slice(begin, end)
        lengths = fixed[part] + _varint_sizes(np.arange(end - begin))
        of_part = key_sizes[part], value_sizes[part], tail_sizes[part]
        encode = _encoded_by_loop if loops() else _encoded
        records = encode(lengths, (keys[part], values[part], tails[part]), of_part)
        yield RecordBatch(records, end - begin, timestamp)
        begin = end


def _encoded(lengths: Ints, columns: Columns, sizes: tuple[Ints, Ints, Ints]) -> bytes:
    """Encode records of keys, values and tails; ``lengths`` are those of the rest."""
    keys, values, tails = columns
    rows = zip(
        _varints(lengths),
        repeat(_PLAIN, len(lengths)),
        _varints(np.arange(len(lengths))),
        _lengths(sizes[0]),
        _bytes(keys),
        _lengths(sizes[1]),
        _bytes(values),
        tails,
        strict=True,
    )
    return b"".join(chain.from_iterable(rows))


def _encoded_by_loop(
    lengths: Ints, columns: Columns, sizes: tuple[Ints, Ints, Ints]
) -> bytes:
    from streams.bus.batch_loops import Parts, record_loop  # noqa: PLC0415  numba

    keys, values, tails = (
        Parts(np.frombuffer(b"".join(_bytes(column)), np.uint8), size)
        for column, size in zip(columns, sizes, strict=True)
    )
    out = np.empty(int(lengths.sum()) + _LONGEST_LENGTH * len(lengths), np.uint8)
    return out[: record_loop(lengths, keys, values, tails, out)].tobytes()


def _sizes(column: Sequence[bytes | None]) -> Ints:
    if None in column:
        return np.array([-1 if one is None else len(one) for one in column], np.int64)
    return np.fromiter(map(len, column), np.int64, len(column))  # type: ignore[arg-type]  # none is None


def _lengths(sizes: Ints) -> list[bytes]:
    if sizes.min(initial=0) < 0:
        return [_NULL if size < 0 else varint(size << 1) for size in sizes.tolist()]
    return _varints(sizes)


def _bytes(column: Sequence[bytes | None]) -> Sequence[bytes]:
    return [one or b"" for one in column] if None in column else column  # type: ignore[return-value]  # none is None
