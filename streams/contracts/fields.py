"""A few fields of a chunk's records, read where they lie, without making a frame.

`columnar` gives all columns of all records as polars has them. The engine needs a
third of the fields, and of most ids only a hash. The walk that checks each datum knows
where its fields begin, so they are read from there. What the walk is not sure of, and
what another schema wrote, goes through `columnar` and gives the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.contracts.byte_column import ByteColumn, LongColumn
from streams.contracts.columnar import (
    FrameGroup,
    Places,
    Rejections,
    datums_by_writer,
)
from streams.contracts.walk import Walked, walk_fields
from streams.contracts.writers import (
    SINGLE_OBJECT_HEADER_BYTES,
    SINGLE_OBJECT_MARKER,
    Writer,
    WriterSchemas,
    shipped_writers,
)
from streams.errors import ContractError

__all__ = ["DecodedFields", "decode_fields"]

Column = ByteColumn | LongColumn
_Columns = dict[str, Column]
_Piece = tuple[Places, _Columns]

_BYTES: Final = (pl.String, pl.Binary)


class DecodedFields(NamedTuple):
    """What became of a chunk; see `streams.contracts.columnar.DecodedChunk`."""

    bytes: Mapping[str, ByteColumn]
    longs: Mapping[str, LongColumn]
    kept: Places
    rejected: Rejections

    def select(self, index: npt.NDArray[np.bool_]) -> Self:
        """Take the records at ``index``."""
        return self._replace(
            bytes={name: column.select(index) for name, column in self.bytes.items()},
            longs={name: column.select(index) for name, column in self.longs.items()},
            kept=self.kept[index],
        )


def decode_fields(
    name: str,
    values: Sequence[bytes | None],
    fields: Sequence[str],
    *,
    writers: WriterSchemas | None = None,
    sketch_bytes: int | None = None,
) -> DecodedFields:
    """Decode strings, bytes and integers of a chunk; the schema says which they are.

    Kept and rejected exactly as `streams.contracts.columnar.decode_chunk` does.

    >>> decode_fields("Ack", [b"?"], ["subject"]).rejected[0][0]
    0
    """
    writers = writers or shipped_writers(name)
    same = _of_one_writer(values, writers)
    if same is not None:
        group = _FieldGroup(name, same.writer, sketch_bytes, fields)
        return _join(group.read(same.datums), group.rejected)
    pieces: list[_Piece] = []
    rejected: Rejections = []
    for places, datums, writer in datums_by_writer(name, values, writers, rejected):
        group = _FieldGroup(name, writer, sketch_bytes, fields)
        for kept, columns in group.read(_Datums.of(datums)):
            pieces.append((places[kept], columns))
        rejected += [(int(places[at]), error) for at, error in group.rejected]
    return _join(pieces, rejected)


class _Datums(NamedTuple):
    """Datums ``blob[starts[i]:ends[i]]``."""

    blob: bytes
    starts: Places
    ends: Places

    @classmethod
    def of(cls, values: Sequence[bytes | None], skip: int = 0) -> Self:
        """Join values; the datums begin ``skip`` bytes into each.

        Raises `TypeError` where there is a None: nearly never, so nobody looks first.
        """
        blob = b"".join(cast(Sequence[bytes], values))
        sizes = np.fromiter(map(len, cast(Sequence[bytes], values)), np.int64)
        ends = np.cumsum(sizes)
        return cls(blob, ends - sizes + skip, ends)

    def take(self, index: Places) -> list[bytes]:
        """Cut datums out."""
        places = zip(
            self.starts[index].tolist(), self.ends[index].tolist(), strict=True
        )
        return [self.blob[start:end] for start, end in places]


class _Same(NamedTuple):
    writer: Writer
    datums: _Datums


def _of_one_writer(
    values: Sequence[bytes | None], writers: WriterSchemas
) -> _Same | None:
    """Take a chunk in which all values begin alike, as nearly all chunks do."""
    first = (values[0] or b"")[:SINGLE_OBJECT_HEADER_BYTES] if values else b""
    if not first.startswith(SINGLE_OBJECT_MARKER):
        return None
    size = len(first)
    try:
        datums = _Datums.of(values, skip=size)
    except TypeError:  # there is a tombstone among them
        return None
    if size < SINGLE_OBJECT_HEADER_BYTES or (datums.starts > datums.ends).any():
        return None
    heads = np.lib.stride_tricks.sliding_window_view(
        np.frombuffer(datums.blob, np.uint8), size
    )[datums.starts - size]
    if (heads != np.frombuffer(first, np.uint8)).any():
        return None
    try:
        return _Same(writers.find(first), datums)
    except ContractError:
        return None


class _FieldGroup(FrameGroup):
    """Reads fields of the datums of a chunk that share one writer."""

    def __init__(
        self, name: str, writer: Writer, sketch_bytes: int | None, fields: Sequence[str]
    ) -> None:
        super().__init__(name, writer, sketch_bytes)
        self.fields = fields

    def read(self, datums: _Datums) -> list[_Piece]:
        """Read what can be; the rest is in ``rejected``, by its place here."""
        plan = self.projection
        everything = np.arange(len(datums.starts))
        if plan is None or plan.columns is not None:
            return self._framed(datums, everything)
        number = {field["name"]: at for at, field in enumerate(plan.wire["fields"])}
        wanted = {name: number[name] for name in self.fields}
        walked = walk_fields(plan.steps, *datums, {*wanted.values()})
        plain = np.flatnonzero(walked.plain)
        pieces: list[_Piece] = []
        if len(plain):
            columns = {
                name: _column(walked, step, plan.steps[step].kind, plain)
                for name, step in wanted.items()
            }
            pieces.append((plain, columns))
        if len(plain) < len(everything):
            pieces += self._framed(datums, np.flatnonzero(~walked.plain))
        return pieces

    def _framed(self, datums: _Datums, places: Places) -> list[_Piece]:
        """Decode datums as columns of polars, and take the fields from there."""
        pieces = self.decode(datums.take(places))
        self.rejected = [(int(places[at]), error) for at, error in self.rejected]
        return [
            (places[kept], {name: _of_series(frame[name]) for name in self.fields})
            for kept, frame in pieces
        ]


def _column(walked: Walked, step: int, kind: str, index: Places) -> Column:
    if kind in ("string", "bytes"):
        return walked.bytes_of(step, index)
    return walked.longs_of(step, index)


def _of_series(series: pl.Series) -> Column:
    if series.dtype in _BYTES:
        return ByteColumn.of(series.to_list())
    present = series.is_not_null().to_numpy()
    return LongColumn(series.fill_null(0).to_numpy().astype(np.int64), present)


def _join(pieces: Sequence[_Piece], rejected: Rejections) -> DecodedFields:
    rejected.sort(key=lambda rejection: rejection[0])
    if not pieces:
        return DecodedFields({}, {}, np.zeros(0, np.int64), rejected)
    kept = np.concatenate([places for places, _ in pieces])
    order = None if len(pieces) == 1 else np.argsort(kept, kind="stable")
    texts: dict[str, ByteColumn] = {}
    longs: dict[str, LongColumn] = {}
    for name, first in pieces[0][1].items():
        parts = [columns[name] for _, columns in pieces]
        if isinstance(first, ByteColumn):
            joined = ByteColumn.concatenate(
                [p for p in parts if isinstance(p, ByteColumn)]
            )
            texts[name] = joined if order is None else joined.select(order)
        else:
            numbers = [part for part in parts if isinstance(part, LongColumn)]
            long = LongColumn.concatenate(numbers)
            longs[name] = long if order is None else long.select(order)
    return DecodedFields(texts, longs, kept if order is None else kept[order], rejected)
