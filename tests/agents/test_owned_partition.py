"""A partition goes on after a rebalance only if it is whole and nobody else had it."""

from __future__ import annotations

import asyncio

import pytest
from faust.types import TP

from streams.agents.changelog import ChangelogWriter
from streams.agents.owned_partition import Held, OwnedPartition
from streams.engine.control_stage import ControlStage

_EVENT = None


def _live(fence: int = 10) -> OwnedPartition:
    changelog = TP("app-control-changelog", 0)
    partition = OwnedPartition(TP("llm.control", 0), changelog, ControlStage(0))
    partition.note_fence(fence)
    partition.go_live(ChangelogWriter(1, ()), 0.0)
    return partition


def _suspended(partition: OwnedPartition) -> OwnedPartition:
    async def suspend() -> None:
        partition.suspend()
        await partition.settle()

    asyncio.run(suspend())
    return partition


def test_it_goes_on_if_nobody_wrote_behind_it() -> None:
    partition = _live(fence=10)
    partition.note_written(11, 5)
    partition.note_written(16, 1)
    _suspended(partition)
    assert partition.kept
    assert not partition.live
    partition.note_fence(17)
    assert partition.kept
    partition.resume(ChangelogWriter(2, ()), 1.0)
    assert partition.live
    assert not partition.kept


@pytest.mark.parametrize(
    ("written", "fence"),
    [
        ([(11, 5)], 17),  # a fence at 16
        ([(12, 5)], 17),  # a fence at 11, and a flush behind it that does not count
        ([(11, 5), (17, 1)], 18),  # a fence in the middle of a flush
        ([], 12),
    ],
)
def test_another_owners_fence_is_noticed(
    written: list[tuple[int, int]], fence: int
) -> None:
    partition = _live(fence=10)
    for offset, count in written:
        partition.note_written(offset, count)
    _suspended(partition).note_fence(fence)
    assert partition.lost


def test_what_was_never_live_does_not_go_on() -> None:
    source, changelog = TP("llm.control", 0), TP("app-control-changelog", 0)
    partition = OwnedPartition(source, changelog, ControlStage(0))
    partition.note_fence(3)
    assert _suspended(partition).lost


def test_a_chunk_that_is_only_half_taken_spoils_it() -> None:
    partition = _live()
    partition.receiving = True
    assert _suspended(partition).lost


def test_a_dead_letter_that_failed_spoils_it() -> None:
    async def suspend(partition: OwnedPartition, *, fails: bool) -> None:
        letter = asyncio.get_running_loop().create_future()
        if fails:
            letter.set_exception(OSError("the broker is gone"))
        else:
            letter.set_result(None)
        partition.held.append(Held(5, _EVENT, [letter]))
        partition.suspend()
        await partition.settle()
        assert not partition.held

    for fails in (False, True):
        partition = _live()
        asyncio.run(suspend(partition, fails=fails))
        assert partition.lost == fails


def test_a_flush_under_way_ends_before_it_is_suspended() -> None:
    async def suspend(partition: OwnedPartition) -> list[str]:
        told: list[str] = []

        async def flush() -> None:
            async with partition.lock:
                await asyncio.sleep(0.01)
                partition.note_written(11, 2)
                told.append("flushed")

        flushing = asyncio.create_task(flush())
        await asyncio.sleep(0)
        partition.suspend()
        await partition.settle()
        told.append("suspended")
        await flushing
        return told

    partition = _live()
    assert asyncio.run(suspend(partition)) == ["flushed", "suspended"]
    partition.note_fence(13)
    assert partition.kept
