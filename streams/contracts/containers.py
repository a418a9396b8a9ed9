"""Avro object container files: events on disk, written once and replayed at speed.

Files are read by whole blocks. The values that :func:`iter_datums` gives are the bytes
in the file behind a framing, so that replaying a file encodes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastavro
import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PanicException, PolarsError

from streams.contracts.codec import misfit
from streams.contracts.columnar import decode_chunk, read_wire
from streams.contracts.projection import records_of_frame, wire_schema
from streams.contracts.rules import Rules
from streams.contracts.schemas import schema
from streams.contracts.sizes import encoded_sizes
from streams.contracts.walk import plan, walk
from streams.contracts.writers import Writer, WriterSchemas, single_object_header
from streams.errors import ContractError, InvalidRecord, UndecodableRecord

__all__ = ["iter_datums", "read_container", "write_container"]

_BLOCK_BYTES: Final = 1 << 20
"""Bytes: about 3,000 events a block, so that a block's fixed cost does not show."""
_SYNC_MARKER: Final = b"distillwatch\x00avr"
"""The same records give the same file: a marker drawn at random would not."""
_BATCH_RECORDS: Final = 4096
"""Records: the small blocks of other writers are read together up to so many."""


def write_container(
    path: Path,
    name: str,
    records: Iterable[Mapping[str, Any]] | Iterable[pl.DataFrame],
    *,
    codec: str = "null",
) -> int:
    """Write records, or frames of them, to a container; give their number.

    ``codec`` is ``null`` or ``deflate``. The file has the present schema, with its
    logical types, and appears under its name only when it is whole. Raises
    `InvalidRecord` that names the file and the record's place in it.
    """
    written = 0
    handed: Mapping[str, Any] | None = None

    def counted() -> Iterator[Mapping[str, Any]]:
        nonlocal written, handed
        for record in chain.from_iterable(_records(name, item) for item in records):
            handed = record
            yield record
            handed = None  # what fails now is the caller's iterator, no record
            written += 1

    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            fastavro.writer(
                file,
                schema(name),  # parsed, its keys would be in the order of a set
                counted(),
                codec=codec,
                sync_interval=_BLOCK_BYTES,
                sync_marker=_SYNC_MARKER,
                strict_allow_default=True,
            )
        partial.replace(path)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        reason = None if handed is None else misfit(name, handed)
        if reason is None:
            raise
        raise InvalidRecord(f"{path}, record {written}: {reason}") from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def _records(
    name: str, item: Mapping[str, Any] | pl.DataFrame
) -> Iterable[Mapping[str, Any]]:
    return records_of_frame(name, item) if isinstance(item, pl.DataFrame) else (item,)


def read_container(
    path: Path, *, writers: WriterSchemas | None = None
) -> Iterator[pl.DataFrame]:
    """Read a container as frames of the present schema, checked like a chunk is.

    Raises the first record's `ContractError` that is not good, with the file's name.
    """
    place = 0
    for name, values in _batches(path):
        chunk = decode_chunk(name, values, writers=writers)
        for at, error in chunk.rejected[:1]:
            raise type(error)(f"{path}, record {place + at}: {error}")
        place += len(values)
        yield chunk.frame


def iter_datums(path: Path) -> Iterator[bytes]:
    """Give the values in a container, in order, with single-object framing.

    The fingerprint is of the file's own schema. Values are well formed but not checked
    for content: their consumer does that.
    """
    return chain.from_iterable(values for _, values in _batches(path))


class _Batch(NamedTuple):
    """Whole blocks of a file, their datums joined."""

    blob: bytes
    records: int


def _batches(path: Path) -> Iterator[tuple[str, list[bytes]]]:
    with path.open("rb") as file:
        try:
            reader = fastavro.block_reader(file)
            avro: Any = reader.writer_schema
            name = avro["name"].rpartition(".")[2]
            writer = Writer(name, avro)
            header = single_object_header(avro)
            for batch in _joined(reader):
                ends = _ends(writer, batch).tolist()
                blob, starts = batch.blob, [0, *ends]
                bounds = zip(starts, ends, strict=False)
                yield name, [header + blob[start:end] for start, end in bounds]
        except ContractError:
            raise
        except (ValueError, EOFError, KeyError, TypeError, IndexError) as error:
            raise UndecodableRecord(
                f"{path}: not a whole Avro container ({type(error).__name__}); "
                "write it again"
            ) from error


def _joined(blocks: Iterable[Any]) -> Iterator[_Batch]:
    parts: list[bytes] = []
    count = 0
    for block in blocks:
        parts.append(block.bytes_.read())
        count += block.num_records
        if count >= _BATCH_RECORDS:
            yield _Batch(b"".join(parts), count)
            parts, count = [], 0
    if count:
        yield _Batch(b"".join(parts), count)


def _ends(writer: Writer, batch: _Batch) -> npt.NDArray[np.int64]:
    """Find where each datum ends: by its columns' sizes when they prove right."""
    blob, count = batch
    steps = plan(writer.schema, Rules())
    if steps is not None:
        try:
            frame = read_wire(wire_schema(writer.schema), blob, count)
        except (PolarsError, PanicException):
            pass  # told below, with the class of fastavro's error
        else:
            ends = np.cumsum(encoded_sizes(frame, steps))
            starts = np.concatenate([[0], ends[:-1]])
            if ends[-1] == len(blob) and walk(steps, blob, starts, ends).all():
                return ends
    file = io.BytesIO(blob)
    ends = np.empty(count, dtype=np.int64)
    for at in range(count):
        fastavro.schemaless_reader(file, writer.parsed)
        ends[at] = file.tell()
    if ends[-1] != len(blob):
        raise EOFError
    return ends
