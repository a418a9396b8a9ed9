"""A Faust store whose content is one stage object per partition.

Faust's recovery reads the changelog into it, in chunks. Rows go out by the flush, not
by assignment to keys: the dictionary side of a store is not offered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast

from faust.stores.base import Store
from faust.types import TP, EventT

from streams.agents.fetched_chunk import FetchedChunk
from streams.agents.owned_partition import OwnedPartition
from streams.errors import BusError, StateError

__all__ = ["ColumnarStore"]


class ColumnarStore(Store[bytes, bytes]):
    """The partitions of one stage that this worker owns."""

    app: Any  # a DetectorApp, which imports this module
    table: Any  # a ColumnarTable, likewise

    def __post_init__(self) -> None:
        self.data = {}  # state is read through the stage objects
        self.partitions: dict[int, OwnedPartition] = {}

    def live(self) -> list[OwnedPartition]:
        """Return the partitions that take chunks."""
        return [p for p in self.partitions.values() if p.live]

    def persisted_offset(self, tp: TP) -> int | None:
        """Return where a kept partition's changelog ends, and -1 for any other.

        At -1 it is read from the beginning; None would make Faust go on behind what an
        earlier assignment had read.
        """
        partition = self.partitions.get(tp.partition)
        return partition.fence if partition is not None and partition.kept else -1

    def apply_changelog_batch(
        self,
        batch: Iterable[EventT[Any]],
        to_key: Callable[[Any], bytes],
        to_value: Callable[[Any], bytes],
    ) -> None:
        """Feed chunks of the changelog to their stage objects.

        Faust's recovery logs an exception and goes on without the rows, so a failure
        takes the worker down here.
        """
        for event in batch:
            partition = self.partitions.get(event.message.partition)
            if partition is None or partition.writer or partition.lost:
                continue
            if event.message.generation_id != self.app.consumer_generation_id:
                continue
            try:
                partition.restore(cast(FetchedChunk, event.value))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is fatal
                partition.lose()
                self.app.fail(error, partition.changelog)

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],
        newly_assigned: set[TP],
        generation_id: int = 0,
    ) -> None:
        """Fence assigned partitions off; start those afresh that are not kept whole.

        A partition is kept if its last flush came to its end, and if nobody has written
        to its changelog since: a former owner's fence would lie before ours. Recovery
        looks for the end of the changelog after this, so it reads the fences.
        """
        owned = _partitions_of(self.table.changelog_topic_name, assigned)
        if owned != _partitions_of(self.table.source_topic, assigned):
            self.lose_all()
            raise BusError(
                f"{self.table.source_topic} and {self.table.changelog_topic_name} were "
                "not assigned alike; both must exist with as many partitions before "
                "the workers start"
            )
        before, self.partitions = self.partitions, {}
        for number, partition in before.items():
            if number in owned and partition.kept:
                self.partitions[number] = partition
            else:
                partition.lose()
        for number in owned - self.partitions.keys():
            self.partitions[number] = self.table.own(number)
        await asyncio.gather(
            *(self._fence(number, generation_id) for number in sorted(owned))
        )

    async def _fence(self, number: int, generation_id: int) -> None:
        partition = self.partitions[number]
        await self.app.fence(partition, generation_id)
        if partition.lost:
            fresh = self.partitions[number] = self.table.own(number)
            fresh.note_fence(partition.fence)

    def lose_all(self) -> None:
        """Give all partitions up."""
        for partition in self.partitions.values():
            partition.lose()

    async def on_recovery_completed(
        self, active_tps: set[TP], standby_tps: set[TP]
    ) -> None:
        """Let the partitions go live."""
        await asyncio.gather(
            *(self._take_over(p) for p in list(self.partitions.values()))
        )

    async def _take_over(self, partition: OwnedPartition) -> None:
        try:
            await self.app.take_over(partition)
        except Exception as error:  # noqa: BLE001 - Faust would not even log it
            partition.lose()
            self.app.fail(error, partition.changelog)

    def reset_state(self) -> None:
        """Do nothing: there are no files."""

    async def backup_partition(
        self, tp: TP | int, flush: bool = True, purge: bool = False, keep: int = 1
    ) -> None:
        """Refuse: the changelog is the backup."""
        raise StateError("there are no backups: the changelog is the backup")

    def restore_backup(
        self, tp: TP | int, latest: bool = True, backup_id: int = 0
    ) -> None:
        """Refuse: the changelog is the backup."""
        raise StateError("there are no backups: the changelog is the backup")


def _partitions_of(topic: str, assigned: set[TP]) -> set[int]:
    return {tp.partition for tp in assigned if tp.topic == topic}
