"""Ends a worker whose partitions stand still although records wait.

Faust and aiokafka have been seen to hang while every process looked healthy
(faust-streaming/faust#175, #523, #629, #640). So liveness here means progress: a
partition that is not recovered, or that has records in the log which nobody takes, must
move within ``stall_timeout``, or the worker ends and its partitions go elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from streams.agents.columnar_table import ColumnarTable
from streams.agents.owned_partition import OwnedPartition
from streams.errors import BusError

__all__ = ["StallDetector", "Watchdog"]

_CHECKS_PER_TIMEOUT = 6


class StallDetector:
    """Remembers since when each thing has been waiting at the same place.

    >>> detector = StallDetector(60.0)
    >>> detector.stalled(0.0, {"a": 7}), detector.stalled(59.0, {"a": 7})
    (None, None)
    >>> detector.stalled(60.0, {"a": 7})
    'a'
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._waiting: dict[object, tuple[object, float]] = {}

    def excuse(self, seconds: float) -> None:
        """Do not count that long: nobody had a turn, so nobody can have moved."""
        self._waiting = {
            thing: (place, since + seconds)
            for thing, (place, since) in self._waiting.items()
        }

    def stalled(self, now: float, waiting: dict[Any, object]) -> Any | None:
        """Return what has waited at its place for the timeout, or None.

        ``waiting`` maps all that waits at ``now`` (seconds) to its place.
        """
        before = self._waiting
        self._waiting = {
            thing: before[thing]
            if thing in before and before[thing][0] == place
            else (place, now)
            for thing, place in waiting.items()
        }
        for thing, (_, since) in self._waiting.items():
            if now - since >= self._timeout:
                return thing
        return None


class Watchdog:
    """Looks at the partitions of a worker now and then."""

    def __init__(
        self, app: Any, tables: tuple[ColumnarTable, ...], timeout: float
    ) -> None:
        self._app = app
        self._tables = tables
        self._timeout = timeout
        self._detector = StallDetector(timeout)

    async def watch(self) -> None:
        """Check until cancelled; a stall ends the worker."""
        pause = self._timeout / _CHECKS_PER_TIMEOUT
        while True:
            slept_at = self._app.loop.time()
            await asyncio.sleep(pause)
            # One stage at work on a large backlog holds the others up: that is
            # progress, too, and a loop that hangs for good never comes here.
            late = self._app.loop.time() - slept_at - pause
            if late > pause:
                self._detector.excuse(late)
            waiting = await self._waiting()
            stalled = self._detector.stalled(self._app.loop.time(), waiting)
            if stalled is not None:
                self._app.fail(
                    BusError(
                        f"nothing moved for {self._timeout:g} s although there is "
                        "work; the worker ends so that it goes on elsewhere"
                    ),
                    stalled.source,
                    stalled.taken.expected,
                )
                return

    async def _waiting(self) -> dict[OwnedPartition, object]:
        owned = [
            partition
            for table in self._tables
            for partition in table.store.partitions.values()
        ]
        # All restoring ones go live together, so each waits for the slowest.
        restoring = [p for p in owned if not p.live]
        read = sum(p.read.expected for p in restoring)
        waiting: dict[OwnedPartition, object] = dict.fromkeys(restoring, read)
        # An agent that tries again is alive, and says in the log what it waits for.
        retrying = {table.source_topic for table in self._tables if table.retrying}
        live = [p for p in owned if p.live and p.source.topic not in retrying]
        ends = await self._ends(live)
        waiting |= {
            p: p.taken.expected
            for p in live
            if p.source not in ends or not self._is_taken(p, ends[p.source])
        }
        return waiting

    def _is_taken(self, partition: OwnedPartition, end: int) -> bool:
        last = self._app.consumer.last_chunk_before(partition.source, end)
        return last is not None and partition.taken.has_followed(*last)

    async def _ends(self, live: Iterable[OwnedPartition]) -> dict[Any, int]:
        """Ask the broker for the ends of the logs; nothing if it does not answer.

        The partitions then count as waiting: a consumer that cannot even ask is what
        is looked for here.
        """
        sources = [p.source for p in live]
        if not sources:
            return {}
        try:
            async with asyncio.timeout(self._timeout / _CHECKS_PER_TIMEOUT):
                return dict(await self._app.consumer.highwaters(*sources))
        except Exception:  # noqa: BLE001 - it may be anything; no answer is the answer
            return {}
