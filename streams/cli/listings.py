"""Lists for people and for pipes: tables that are not cut, JSON, spans of time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.record_lines import printable

__all__ = ["print_json", "print_rows", "span_text"]

_PIPE_WIDTH = 200  # columns; a pipe has none of its own, and ids must not be cut
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def print_json(rows: object) -> None:
    """Print plain values as one indented JSON document."""
    print(msgspec.json.format(msgspec.json.encode(rows)).decode())


def print_rows(
    headings: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None
) -> None:
    """Print a table; the first column, an id, is never broken over lines."""
    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        # An id that is broken cannot be copied.
        table.add_column(heading, no_wrap=place == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def _cell(value: object) -> Text:
    # Text, as brackets in an id are no markup.
    return Text("\n".join(map(printable, str(value).split("\n"))))


def span_text(milliseconds: float) -> str:
    """Write a span of time in its two largest units.

    >>> span_text(93_600_000), span_text(5_000), span_text(400), span_text(-5_000)
    ('1 d 2 h', '5 s', '0 s', '-5 s')
    """
    left, parts = abs(int(milliseconds)), []
    for size, unit in _UNITS:
        count, rest = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
        left = rest
    return ("-" if milliseconds < 0 else "") + (" ".join(parts[:2]) or "0 s")
