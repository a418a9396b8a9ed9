"""Rows from several source partitions, released minute by minute.

A later stage may handle minute M only when every source partition has closed M. Then
it has all rows of M, whatever order they arrived in, and sorts them: that is why the
number of workers and the speed of each cannot change a result.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from streams.contracts.stage_batch import StageBatch
from streams.errors import InvalidRecord

__all__ = ["Barrier", "InboxState", "MinuteInbox", "Row"]

Row = tuple[Any, ...]

_NO_SOURCE: Final = -1


class Barrier(NamedTuple):
    """Something that takes effect after ``minute`` and before the next one."""

    minute: int
    offset: int
    item: Any


class InboxState(NamedTuple):
    """What survives a restart: the log prefix that is wholly applied.

    ``closed`` holds, for each source, the minute that this prefix closes.
    """

    applied_offset: int
    applied_minute: int
    closed: list[int]


class MinuteInbox:
    """Buffer between stages; rows are tuples whose first item is their minute."""

    def __init__(self, sources: int) -> None:
        self._closed = [-1] * sources
        self._prefix_closed = [-1] * sources
        self._applied_minute = -1
        self._applied_offset = 0
        self._next_offset = 0
        self._rows: list[Row] = []
        self._unfinished: dict[int, list[Row]] = {}
        self._messages: list[tuple[int, int, int, int]] = []
        self._barriers: list[Barrier] = []

    @property
    def applied_offset(self) -> int:
        """Offset of the first record whose rows are not all released."""
        return self._applied_offset

    @property
    def next_offset(self) -> int:
        """Offset of the first record that was never added."""
        return self._next_offset

    @property
    def open_minute(self) -> int | None:
        """One past the latest minute that any source has closed."""
        latest = max(self._closed)
        return None if latest < 0 else latest + 1

    def add(self, offset: int, batch: StageBatch, rows: list[Row]) -> None:
        """Take a part; rows of minutes this source had already closed are repeats.

        Raises `InvalidRecord` when there is no such source.
        """
        source = batch.source_partition
        if not 0 <= source < len(self._closed):
            raise InvalidRecord(
                f"source_partition {source} is none of the {len(self._closed)} that "
                f"topics.toml gives the topic before this one: partitions cannot be "
                f"added without a new app_id"
            )
        taken = max(self._closed[source], self._applied_minute)
        _, fresh = self._part(rows, taken)
        if batch.part == 0:
            self._unfinished[source] = []
        parts = self._unfinished.setdefault(source, [])
        parts.extend(fresh)
        self._next_offset = offset + 1
        latest = self._latest(parts)
        if batch.last:
            self._rows.extend(parts)
            del self._unfinished[source]
            self._closed[source] = max(self._closed[source], batch.closed_minute)
        else:
            # An unfinished batch must be delivered again from its first part.
            latest = max(latest, batch.closed_minute)
        self._messages.append((offset, latest, source, self._closed[source]))

    def add_barrier(self, offset: int, item: Any, minute: int | None = None) -> None:
        """Take what is to come after ``minute``, and before the next one.

        By default that is the last minute that the log before it has closed: its place
        follows from the log alone, not from when `release` was called.
        """
        minute = min(self._closed) if minute is None else minute
        self._barriers.append(Barrier(minute, offset, item))
        self._next_offset = offset + 1
        self._messages.append((offset, minute, _NO_SOURCE, -1))

    def skip(self, offset: int) -> None:
        """Pass over a record that was refused."""
        self._next_offset = offset + 1
        if not self._messages:
            self._applied_offset = self._next_offset

    def release_barriers(self) -> list[Barrier]:
        """Give the barriers whose minute is closed, in order of minute and offset."""
        closed = max(min(self._closed), self._applied_minute)
        due = [one for one in self._barriers if one.minute <= closed]
        self._barriers = [one for one in self._barriers if one.minute > closed]
        return sorted(due, key=lambda one: (one.minute, one.offset))

    def release(self) -> tuple[int, list[Any]]:
        """Give the newly closed minute and the sorted rows up to it, inclusive."""
        minute = max(min(self._closed), self._applied_minute)
        rows: list[Any] = []
        if minute > self._applied_minute:
            rows, self._rows = self._part(self._rows, minute)
            self._applied_minute = minute
        done = 0
        for offset, latest, source, closed in self._messages:
            if latest > minute:
                break
            done += 1
            self._applied_offset = offset + 1
            if source != _NO_SOURCE:
                self._prefix_closed[source] = closed
        del self._messages[:done]
        return minute, rows

    def _part(self, rows: list[Any], minute: int) -> tuple[list[Any], list[Any]]:
        """Part the rows up to ``minute``, sorted, from the later ones."""
        done = sorted(row for row in rows if row[0] <= minute)
        return done, [row for row in rows if row[0] > minute]

    def _latest(self, rows: list[Any]) -> int:
        """Give the latest minute of rows, -1 without any."""
        return max((row[0] for row in rows), default=-1)

    def state(self) -> InboxState:
        """Give the state as of the last release."""
        return InboxState(
            self._applied_offset, self._applied_minute, list(self._prefix_closed)
        )

    def restore(self, state: InboxState) -> None:
        """Go back to a state; records behind it will be delivered again."""
        self._applied_offset = self._next_offset = state.applied_offset
        self._applied_minute = state.applied_minute
        self._closed = list(state.closed)
        self._prefix_closed = list(state.closed)
        self._rows.clear()
        self._messages.clear()
        self._barriers.clear()
        self._unfinished.clear()
