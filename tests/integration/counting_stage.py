"""A small stage for tests: counts per key and minute, and a total per key.

A record's value is ``minute,key,``, padded with ``.`` at will; others are refused.
The key ``close`` closes its minute by itself, so that nothing stays open behind it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from functools import partial

from streams.agents.placed_stage import PlacedStage
from streams.config import Config
from streams.engine.stage import Chunk, DirtyRows, Output, Rejected, Row
from streams.errors import UndecodableRecord

__all__ = [
    "CLOSE",
    "MARKER_KEY",
    "CountingStage",
    "FailingStage",
    "load_failing_stages",
    "load_stages",
    "record_value",
]

CLOSE = b"close"
MARKER_KEY = b"\x00marker"
_NUMBERS = struct.Struct(">qq")


def load_stages(config: Config) -> list[PlacedStage]:
    """Place the stage on the topics that the harness makes for an app id."""
    app_id = config.app_id
    make = partial(CountingStage, output_topic=f"{app_id}.out")
    return [PlacedStage("accounts", f"{app_id}.in", 4, make)]


def load_failing_stages(config: Config) -> list[PlacedStage]:
    """Place a stage that cannot apply minute 3."""
    stage = load_stages(config)[0]
    make = partial(FailingStage, output_topic=f"{config.app_id}.out")
    return [stage._replace(make=make)]


def record_value(minute: int, key: str, size: int = 0) -> bytes:
    return f"{minute},{key},".encode().ljust(size, b".")


class CountingStage:
    """Minutes are the running maximum, so each is one stretch of offsets."""

    def __init__(self, partition: int, output_topic: str) -> None:
        self._partition = partition
        self._output_topic = output_topic
        self.totals: Counter[bytes] = Counter()
        self._dirty: set[bytes] = set()
        self._marked = (0, -1)
        self._next = 0
        self._applied = 0
        self._minute: int | None = None
        self._begin = 0
        self._counts: Counter[bytes] = Counter()
        self._closed: list[tuple[int, Counter[bytes], int]] = []
        self._last_closed = -1

    @property
    def applied_offset(self) -> int:
        return self._applied

    @property
    def open_minute(self) -> int | None:
        return self._minute

    def take(self, chunk: Chunk) -> list[Rejected]:
        rejected = []
        for offset, value in zip(chunk.offsets, chunk.values, strict=True):
            if offset < self._next:
                continue
            self._next = offset + 1
            try:
                minute_text, key, _ = (value or b"").split(b",", 2)
                minute = int(minute_text)
            except ValueError:
                rejected.append(Rejected(offset, UndecodableRecord(f"@{offset}: bad")))
                continue
            if self._minute is None:
                self._minute = max(minute, self._last_closed + 1)
                self._begin = offset
            elif minute > self._minute:
                self._close(offset)
                self._minute, self._begin = minute, offset
            self._counts[key] += 1
            if key == CLOSE:
                self._close(offset + 1)
        return rejected

    def _close(self, next_offset: int) -> None:
        assert self._minute is not None
        self._closed.append((self._minute, self._counts, next_offset))
        self._last_closed = self._minute
        self._counts = Counter()
        self._minute = None

    def close_idle(self, minute: int) -> None:
        if self._minute is not None and self._minute <= minute:
            self._close(self._next)

    def advance(self) -> list[Output]:
        outputs = []
        for minute, counts, next_offset in self._closed:
            for key in sorted(counts):
                self.totals[key] += counts[key]
                self._dirty.add(key)
                outputs.append(
                    Output(
                        topic=self._output_topic,
                        partition=None,
                        key=key,
                        value=b"%d,%d,%d" % (minute, counts[key], self.totals[key]),
                        timestamp=minute * 60_000,
                        event_id=f"{self._partition}-{minute}-{key.decode()}",
                        type="test.count",
                    )
                )
            self._applied = next_offset
        self._closed.clear()
        if self._minute is None:
            self._applied = self._next
        return outputs

    def dirty_rows(self) -> DirtyRows:
        mark = (self._applied, self._last_closed)
        if not self._dirty and mark == self._marked:
            return DirtyRows()
        keys = sorted(self._dirty)
        rows = DirtyRows(keys, (b"%d" % self.totals[key] for key in keys))
        self._dirty.clear()
        self._marked = mark
        rows.append(MARKER_KEY, _NUMBERS.pack(*mark))
        return rows

    def restore(self, rows: Iterable[Row]) -> None:
        for key, value in rows:
            assert value is not None
            if key == MARKER_KEY:
                self._applied, self._last_closed = _NUMBERS.unpack(value)
                self._marked = (self._applied, self._last_closed)
            else:
                self.totals[key] = int(value)

    def restored(self) -> None:
        self._next = self._applied


class FailingStage(CountingStage):
    """Applies nothing from minute 3 on."""

    def advance(self) -> list[Output]:
        if any(minute >= 3 for minute, _, _ in self._closed):
            raise ArithmeticError("minute 3 does not add up")
        return super().advance()
