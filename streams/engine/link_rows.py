"""The records by which the facets stages tell of suspect facets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.column_batch import pack_columns
from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.link_news import LINK_COLUMNS, LINK_TEXTS, LinkNews
from streams.engine.stage import Output

__all__ = ["member_links"]

_PART_BYTES: Final = 900_000
"""Most bytes of columns in a part; Kafka takes records of 1 MB by default. Rows are
counted by their bytes, as ids may be ten characters long or five hundred."""

_TEXT_BYTES: Final = 9
"""Bytes of a number of a text, and before the text in MessagePack, at most."""

_ROW_BYTES: Final[Mapping[str, int]] = {
    table: sum(np.dtype(type_).itemsize for type_ in types.values())
    for table, types in LINK_COLUMNS.items()
}

Column = npt.NDArray[Any]


def member_links(
    news: LinkNews, *, source_partition: int, closed_minute: int
) -> list[Output]:
    """Make the MemberLinks records; without rows one still closes the minutes."""
    outputs = []
    parts = list(_parts(news))
    for number, columns in enumerate(parts):
        batch = StageBatch(
            source_partition=source_partition,
            part=number,
            last=number == len(parts) - 1,
            closed_minute=closed_minute,
            payload=pack_columns(columns),
        )
        outputs.append(
            Output(
                topic="llm.links",
                partition=0,
                key=b"0",
                value=encode_batch("MemberLinks", batch),
                timestamp=closed_minute * MS_PER_MINUTE,
                event_id=f"{source_partition}-{closed_minute}-{number}",
                type="io.distillwatch.MemberLinks",
            )
        )
    return outputs


def _parts(news: LinkNews) -> Iterator[dict[str, Column | list[str]]]:
    """Give the rows as columns, in parts that fit a record each."""
    sizes = {table: _row_sizes(news, table) for table in LINK_COLUMNS}
    ends = {table: np.cumsum(size) for table, size in sizes.items()}
    total = sum(int(end[-1]) for end in ends.values() if len(end))
    if total <= _PART_BYTES:  # as nearly always
        yield _part(news, {table: slice(None) for table in LINK_COLUMNS})
        return
    for table, end in ends.items():
        start = 0
        while start < len(end):
            before = int(end[start - 1]) if start else 0
            stop = int(np.searchsorted(end, before + _PART_BYTES, "right"))
            rows = {name: slice(0, 0) for name in LINK_COLUMNS}
            rows[table] = slice(start, max(stop, start + 1))
            yield _part(news, rows)
            start = rows[table].stop


def _row_sizes(news: LinkNews, table: str) -> Column:
    """Bound the bytes of each row, as if each had texts of its own."""
    columns = news.tables[table]
    size = np.full(len(columns["minute"]), _ROW_BYTES[table])
    for name in LINK_TEXTS[table]:
        texts = [_TEXT_BYTES + len(text.encode()) for text in news.texts[name]]
        size += np.array(texts, np.int64)[columns[name]]
    return size


def _part(news: LinkNews, rows: Mapping[str, slice]) -> dict[str, Column | list[str]]:
    """Take some rows of each table, with the texts that they need, sorted."""
    part: dict[str, Column | list[str]] = {}
    for table, columns in news.tables.items():
        for name, column in columns.items():
            taken = column[rows[table]]
            if name in LINK_TEXTS[table]:
                used, which = np.unique(taken, return_inverse=True)
                texts = [news.texts[name][number] for number in used.tolist()]
                order = sorted(range(len(texts)), key=texts.__getitem__)
                rank = np.empty(len(order), "<u4")
                rank[order] = np.arange(len(order))
                part[f"{name}_texts"] = [texts[at] for at in order]
                taken = rank[which]
            part[f"{table}_{name}"] = taken
    return part
