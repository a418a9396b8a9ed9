"""Trying again what failed because something outside gave no answer."""

from __future__ import annotations

import asyncio
import logging

from streams.agents.columnar_table import ColumnarTable
from streams.agents.owned_partition import OwnedPartition
from streams.engine.stage import Chunk, Rejected
from streams.errors import DistillwatchError

__all__ = ["pause_before", "take_with_retries"]

_log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.5  # s
_LONGEST_PAUSE = 5.0  # s; what has come back is noticed as soon as this


def pause_before(retry: int) -> float:
    """Return the seconds to wait before a retry, the first being 1.

    >>> [pause_before(n) for n in (1, 2, 3, 9)]
    [0.5, 1.0, 2.0, 5.0]
    """
    return min(_FIRST_PAUSE * 2.0 ** (retry - 1), _LONGEST_PAUSE)


async def take_with_retries(
    table: ColumnarTable, partition: OwnedPartition, chunk: Chunk
) -> list[Rejected] | None:
    """Give a chunk to its stage until no retriable error comes of it.

    Returns what the stage returns, or None if the partition was given up meanwhile:
    then its next owner reads the chunk again. The other partitions of the stage wait,
    too, while their outputs and heartbeats go on.
    """
    retries = 0
    try:
        while partition.live:
            try:
                if not retries:
                    return partition.stage.take(chunk)
                return await _take_off_loop(partition, chunk)
            except DistillwatchError as error:
                if not error.retriable:
                    raise
                retries += 1
                pause = pause_before(retries)
                place = f"{partition.place}@{chunk.offsets[0]}"
                _log.warning("%s: %s; trying again in %.1f s", place, error, pause)
            table.retrying = True
            await asyncio.sleep(pause)
    finally:
        table.retrying = False
    return None


async def _take_off_loop(
    partition: OwnedPartition, chunk: Chunk
) -> list[Rejected] | None:
    """Take in a thread: what does not answer must not hold up the event loop."""
    async with partition.lock:  # so that no flush comes in between
        rejected = await asyncio.to_thread(partition.stage.take, chunk)
    return rejected if partition.live else None
