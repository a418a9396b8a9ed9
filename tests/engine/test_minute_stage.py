"""The shared half of the later stages, with a subclass that only counts."""

from __future__ import annotations

from typing import Any

from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.engine.minute_inbox import Barrier
from streams.engine.minute_stage import MinuteStage
from streams.engine.stage import Chunk, Output
from streams.errors import UndecodableRecord


class _Counting(MinuteStage[tuple[int, int]]):
    record = "MemberLinks"

    def __init__(self) -> None:
        super().__init__(0, sources=2)
        self.told: list[tuple[list[tuple[int, int]], int]] = []

    def _decode(self, payload: bytes) -> list[tuple[Any, ...]]:
        if payload == b"bad":
            raise UndecodableRecord("not minutes")
        return [(minute,) for minute in payload]

    def _apply_minute(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> list[tuple[int, int]]:
        return [(minute, len(rows))]

    def _apply_barrier(self, barrier: Barrier) -> list[tuple[int, int]]:
        return [(barrier.minute, -1)]

    def _end_minutes(self, closed: int) -> list[tuple[int, int]]:
        del closed
        return []

    def _outputs(self, news: list[tuple[int, int]], closed: int) -> list[Output]:
        self.told.append((news, closed))
        return []


def _batch(source: int, closed: int, payload: bytes) -> bytes:
    return encode_batch("MemberLinks", StageBatch(source, 0, True, closed, payload))


def _take(stage: _Counting, *values: bytes | None, first: int = 0) -> list[int]:
    offsets = range(first, first + len(values))
    chunk = Chunk(offsets, values, [0] * len(values))
    return [rejected.offset for rejected in stage.take(chunk)]


def test_a_minute_is_applied_once_all_sources_have_closed_it() -> None:
    stage = _Counting()
    assert _take(stage, _batch(0, 5, bytes([3, 3, 5]))) == []
    stage.advance()
    assert stage.told == []
    _take(stage, _batch(1, 4, bytes([4, 3])), first=1)
    stage.advance()
    assert stage.told == [([(3, 3), (4, 1)], 4)]
    assert stage.open_minute == 6
    assert stage.applied_offset == 0  # minute 5 of the first record is still to come


def test_what_cannot_be_read_is_refused_alone_and_repeats_are_skipped() -> None:
    stage = _Counting()
    values = (b"junk", None, _batch(0, 2, b"bad"), _batch(0, 2, bytes([1])))
    assert _take(stage, *values) == [0, 1, 2]
    assert _take(stage, *values) == []
    _take(stage, _batch(1, 2, b""), first=4)
    stage.advance()
    assert stage.told == [([(1, 1)], 2)]
    assert stage.applied_offset == 5


def test_nothing_is_told_twice() -> None:
    stage = _Counting()
    _take(stage, _batch(0, 1, b""), _batch(1, 1, b""))
    stage.advance()
    stage.advance()
    stage.close_idle(9)
    stage.advance()
    assert stage.told == [([], 1)]
