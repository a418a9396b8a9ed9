"""Records by the chunk: the same answers as the row codec, as polars columns.

The datums of a chunk are checked in lockstep (:mod:`streams.contracts.walk`), framed
as one block of an Avro object container, and read by ``polars.read_avro`` in one go.
Whatever is doubtful goes through :mod:`streams.contracts.codec` one by one, so a
corrupt record costs its own time only and never touches its neighbours.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PolarsError

from streams.contracts.codec import decode_datum
from streams.contracts.projection import (
    Projection,
    frame_of_rows,
    frame_schema,
    projection,
)
from streams.contracts.walk import walk
from streams.contracts.writers import (
    SINGLE_OBJECT_HEADER_BYTES,
    SINGLE_OBJECT_MARKER,
    Writer,
    WriterSchemas,
    header_bytes,
    shipped_writers,
)
from streams.errors import ContractError, UndecodableRecord

__all__ = [
    "DecodedChunk",
    "FrameGroup",
    "Places",
    "Rejections",
    "datums_by_writer",
    "decode_chunk",
    "read_wire",
]

_SYNC: Final = b"distillwatchsync"
"""Sync marker of the block, 16 bytes; it never leaves the process."""
_MOST_HEADERS = 64
"""Container headers kept, one for each writer's schema."""

Places = npt.NDArray[np.int64]
"""Places of values in a chunk."""
Rejections = list[tuple[int, ContractError]]
"""Places of refused values, with the reason."""
_Piece = tuple[Places, pl.DataFrame]


class DecodedChunk(NamedTuple):
    """What became of a chunk.

    ``frame`` holds the good records, in order; ``kept[r]`` is the place in the chunk
    of its row ``r``; ``rejected`` are the places of the others, with the reason.
    """

    frame: pl.DataFrame
    kept: Places
    rejected: Rejections


def decode_chunk(
    name: str,
    values: Sequence[bytes | None],
    *,
    writers: WriterSchemas | None = None,
    sketch_bytes: int | None = None,
) -> DecodedChunk:
    """Decode the values of a chunk into columns of the present schema.

    Kept, rejected and decoded exactly as `codec.decode` would one by one; a value of
    None is rejected. A resolver in ``writers`` is asked once per chunk for an id it
    does not know: it should remember that.

    >>> decode_chunk("Ack", [b"?"]).rejected[0][0]
    0
    """
    writers = writers or shipped_writers(name)
    pieces: list[_Piece] = []
    rejected: Rejections = []
    for places, datums, writer in datums_by_writer(name, values, writers, rejected):
        group = FrameGroup(name, writer, sketch_bytes)
        for kept, frame in group.decode(datums):
            pieces.append((places[kept], frame))
        rejected += [(int(places[at]), error) for at, error in group.rejected]
    rejected.sort(key=lambda rejection: rejection[0])
    return _join(name, pieces, rejected)


def datums_by_writer(
    name: str,
    values: Sequence[bytes | None],
    writers: WriterSchemas,
    rejected: Rejections,
) -> Iterator[tuple[Places, Sequence[bytes], Writer]]:
    """Group the values of a chunk by their writer: places, bare datums, writer.

    Values without a known framing or writer are added to ``rejected``.
    """
    for header, places in _by_header(values):
        if not header:
            rejected += _unframed(name, values, places, writers)
            continue
        try:
            writer = writers.find(header)
        except ContractError as error:
            rejected += [(int(place), error) for place in places]
            continue
        size = len(header)
        if len(places) == len(values):
            datums = [value[size:] for value in values if value is not None]
        else:
            datums = [_bytes(values[place])[size:] for place in places]
        yield places, datums, writer


def _bytes(value: bytes | None) -> bytes:
    return value or b""


def _by_header(
    values: Sequence[bytes | None],
) -> Iterable[tuple[bytes, Places]]:
    """Group the places of a chunk by their values' framing."""
    starts = {value[:SINGLE_OBJECT_HEADER_BYTES] for value in values if value}
    only = next(iter(starts), b"")
    if len(starts) == 1 and only.startswith(SINGLE_OBJECT_MARKER) and all(values):
        return [(header_bytes(only), np.arange(len(values), dtype=np.int64))]
    groups: dict[bytes, list[int]] = {}
    for place, value in enumerate(values):
        groups.setdefault(header_bytes(_bytes(value)), []).append(place)
    return [(header, np.array(at, np.int64)) for header, at in groups.items()]


def _unframed(
    name: str,
    values: Sequence[bytes | None],
    places: Iterable[int],
    writers: WriterSchemas,
) -> Rejections:
    rejected: Rejections = []
    for place in places:
        value = values[place]
        if value is None:
            none = UndecodableRecord(f"{name}: a tombstone where a record is expected")
            rejected.append((int(place), none))
            continue
        try:
            writers.find(value)
        except ContractError as error:
            rejected.append((int(place), error))
    return rejected


class FrameGroup:
    """Decodes the datums of a chunk that share one writer."""

    def __init__(self, name: str, writer: Writer, sketch_bytes: int | None) -> None:
        self.name = name
        self.writer = writer
        self.sketch_bytes = sketch_bytes
        self.projection = projection(name, writer, sketch_bytes)
        self.rejected: Rejections = []

    def decode(self, datums: Sequence[bytes]) -> list[_Piece]:
        """Decode what can be; the rest is in ``rejected``, by its place here."""
        if self.projection is None:
            return self._rows(datums, range(len(datums)))
        try:
            return self._columns(self.projection, datums, ascii_only=False)
        except PolarsError:
            # A string somewhere is not UTF-8: only the row codec says which.
            return self._columns(self.projection, datums, ascii_only=True)

    def _columns(
        self, plan: Projection, datums: Sequence[bytes], *, ascii_only: bool
    ) -> list[_Piece]:
        """Read what the walk is sure of as a block, and the rest row by row."""
        sizes = np.fromiter(map(len, datums), np.int64, len(datums))
        ends = np.cumsum(sizes)
        blob = b"".join(datums)
        sure = walk(plan.steps, blob, ends - sizes, ends, ascii_only=ascii_only)
        if not sure.all():
            blob = b"".join(compress(datums, sure))
        pieces = []
        places = np.flatnonzero(sure)
        if len(places):
            pieces.append((places, read_block(plan, blob, len(places))))
        # Last, so that nothing is decided twice when the block cannot be read.
        doubtful = compress(datums, ~sure)
        return pieces + self._rows(doubtful, np.flatnonzero(~sure))

    def _rows(self, datums: Iterable[bytes], places: Iterable[int]) -> list[_Piece]:
        records, kept = [], []
        for place, datum in zip(places, datums, strict=True):
            try:
                record = decode_datum(
                    self.name, datum, self.writer, sketch_bytes=self.sketch_bytes
                )
            except ContractError as error:
                self.rejected.append((int(place), error))
            else:
                records.append(record)
                kept.append(place)
        if not records:
            return []
        return [(np.array(kept, np.int64), frame_of_rows(self.name, records))]


def _join(name: str, pieces: Sequence[_Piece], rejected: Rejections) -> DecodedChunk:
    if not pieces:
        empty = pl.DataFrame(schema=frame_schema(name))
        return DecodedChunk(empty, np.empty(0, np.int64), rejected)
    if len(pieces) == 1:
        return DecodedChunk(pieces[0][1], pieces[0][0], rejected)
    kept = np.concatenate([places for places, _ in pieces])
    frame = pl.concat([frame for _, frame in pieces])
    order = np.argsort(kept, kind="stable")
    return DecodedChunk(frame[order], kept[order], rejected)


def read_block(plan: Projection, blob: bytes, count: int) -> pl.DataFrame:
    """Read ``count`` joined datums that a walk is sure of as the reader's columns."""
    frame = read_wire(plan.wire, blob, count)
    return frame if plan.columns is None else frame.select(plan.columns)


def read_wire(wire: Mapping[str, Any], blob: bytes, count: int) -> pl.DataFrame:
    """Read ``count`` joined datums of the schema ``wire``, which must be well formed.

    Raises polars' own error when a string is not UTF-8.
    """
    header = _header(json.dumps(wire))
    parts = (header, _long(count), _long(len(blob)), blob, _SYNC)
    return pl.read_avro(io.BytesIO(b"".join(parts)))


@lru_cache(maxsize=_MOST_HEADERS)
def _header(wire: str) -> bytes:
    """Make the header of an object container (Avro 1.12, "Object Container Files")."""
    meta = {"avro.schema": wire, "avro.codec": "null"}
    items = b"".join(_text(key) + _text(value) for key, value in meta.items())
    return b"Obj\x01" + _long(len(meta)) + items + _long(0) + _SYNC


def _text(text: str) -> bytes:
    raw = text.encode()
    return _long(len(raw)) + raw


def _long(value: int) -> bytes:
    """Encode a count as Avro does: zigzag, seven bits a byte."""
    code, out = value << 1, bytearray()
    while code > 0x7F:
        out.append(code & 0x7F | 0x80)
        code >>= 7
    out.append(code)
    return bytes(out)
