"""What a stage of the pipeline is, so that one shell can drive all of them.

A stage object holds the state of *one input partition*. The shell (a Faust agent, or
``replay``) feeds it chunks and, every flush interval, does in this order:

1. ``outputs = stage.advance()``: apply every whole closed minute, collect outputs;
2. send the outputs, wait until the broker has them;
3. ``rows = stage.dirty_rows()``: write them to the changelog, in order, wait;
4. commit input offsets below ``stage.applied_offset``.

The last of ``dirty_rows`` is a *marker* that makes the rows before it valid: on
recovery, rows behind the last marker are dropped, so a restored stage is always the
consistent state at one offset. Records below that offset are skipped when they are
delivered again. A crash between any two steps therefore repeats outputs at worst, and
repeats them bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from streams.errors import ContractError

__all__ = ["Chunk", "DirtyRows", "Output", "Rejected", "Row", "Stage"]


class Chunk(NamedTuple):
    """Consecutive records of one partition, as parallel columns.

    ``offsets`` rise strictly (gaps are allowed: compaction, transactions);
    ``timestamps`` are the records' Kafka timestamps in milliseconds. ``keys`` are only
    needed where a tombstone has a meaning.
    """

    offsets: Sequence[int]
    values: Sequence[bytes | None]
    timestamps: Sequence[int]
    keys: Sequence[bytes | None] = ()


class Rejected(NamedTuple):
    """A record that cannot be taken: it goes to the dead-letter topic."""

    offset: int
    error: ContractError


class Output(NamedTuple):
    """A record to send; ``partition`` None means murmur2 of the key."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    timestamp: int
    event_id: str
    type: str


class Row(NamedTuple):
    """A row for the changelog; ``value`` None deletes the key."""

    key: bytes
    value: bytes | None


class DirtyRows:
    """Rows to write, in log order, as two lists. Iterated, it gives `Row`.

    An object for each of hundreds of thousands a second would take longer than all
    that is written of them.

    >>> rows = DirtyRows([b"a"], [b"1"])
    >>> rows.append(b"b", None)
    >>> len(rows), list(rows)
    (2, [Row(key=b'a', value=b'1'), Row(key=b'b', value=None)])
    """

    __slots__ = ("keys", "values")

    def __init__(
        self, keys: Iterable[bytes] = (), values: Iterable[bytes | None] = ()
    ) -> None:
        self.keys = list(keys)
        self.values = list(values)

    def append(self, key: bytes, value: bytes | None) -> None:
        """Add a row; None deletes the key."""
        self.keys.append(key)
        self.values.append(value)

    def extend(self, keys: Iterable[bytes], values: Iterable[bytes | None]) -> None:
        """Add rows, of which there are as many keys as values."""
        self.keys.extend(keys)
        self.values.extend(values)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Row]:
        return map(Row, self.keys, self.values)


class Stage(Protocol):
    """State of one input partition of one stage of the pipeline."""

    @property
    def applied_offset(self) -> int:
        """Offset of the first record that is not yet wholly in the state."""

    @property
    def open_minute(self) -> int | None:
        """The latest event-time minute seen, still open; None before any record."""

    def take(self, chunk: Chunk) -> list[Rejected]:
        """Decode and buffer a chunk; return the records that were refused.

        After a retriable error nothing is changed: the same chunk may be given again.
        """

    def close_idle(self, minute: int) -> None:
        """Close every minute up to and including ``minute`` on this idle partition."""

    def advance(self) -> list[Output]:
        """Apply all closed minutes to the state and return what they give."""

    def dirty_rows(self) -> DirtyRows:
        """Give rows changed since the last call, a marker last; empty when none are."""

    def restore(self, rows: Iterable[Row]) -> None:
        """Take changelog rows in log order; may be called many times."""

    def restored(self) -> None:
        """End the restoration: drop rows behind the last marker."""
