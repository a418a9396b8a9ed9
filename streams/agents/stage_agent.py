"""The one agent behind all stages: chunks in, flushes out, offsets moved on.

Nothing here knows what a stage computes. What holds, whatever fails and whenever:

* a chunk is acknowledged, and so may be committed, only after the outputs, the rows and
  the dead letters that come of it are with the broker;
* a flush is never in two runs at once for a partition, and one that fails is never
  continued: the worker ends, and the next owner starts from the last whole flush;
* a partition given up in a rebalance sends nothing more; one that comes back goes on
  from where it is if its last flush was whole and nobody else had it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, cast

from faust.types import EventT, StreamT

from streams.agents.broker_writer import BrokerWriter
from streams.agents.columnar_table import ColumnarTable
from streams.agents.fetched_chunk import FetchedChunk
from streams.agents.flush_rule import HOP, FlushPace, FlushRule
from streams.agents.idle_rule import WatermarkHistory
from streams.agents.owned_partition import Held, OwnedPartition
from streams.agents.retries import take_with_retries
from streams.config import Config

__all__ = ["StageAgents"]


class StageAgents:
    """The agents of all stages of a worker, and their common flush timer."""

    def __init__(
        self,
        app: Any,
        config: Config,
        tables: tuple[ColumnarTable, ...],
        writer: BrokerWriter,
    ) -> None:
        self._app = app
        self._config = config
        self._tables = tables
        self._writer = writer
        self._watermarks = WatermarkHistory(config.idle_timeout)
        self._closing = False
        self._minute_closed = asyncio.Event()

    async def run(self, table: ColumnarTable, stream: StreamT[FetchedChunk]) -> None:
        """Take every chunk of a stage's input; this is the body of its agent."""
        async for event in cast(Any, stream).noack().events():
            partition = table.store.partitions.get(event.message.partition)
            if (
                partition is None
                or not partition.live
                or event.message.generation_id != self._app.consumer_generation_id
                or event.value.run < self._app.consumer.first_run
            ):
                continue
            try:
                await self._receive(table, partition, event)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is fatal
                partition.lose()
                self._app.fail(error, partition.source, partition.taken.expected)
            # Chunks may lie ready in a row; the loop has other work, too.
            await asyncio.sleep(0)

    async def _receive(
        self, table: ColumnarTable, partition: OwnedPartition, event: EventT[Any]
    ) -> None:
        partition.receiving, open_minute = True, partition.stage.open_minute
        await self._take(table, partition, event)
        partition.receiving = False
        if table is self._tables[0] and partition.stage.open_minute != open_minute:
            self._minute_closed.set()
        table.taken.set()
        if partition.unflushed >= self._config.unflushed_records:
            await self.flush(partition)

    async def _take(
        self, table: ColumnarTable, partition: OwnedPartition, event: EventT[Any]
    ) -> None:
        fetched = cast(FetchedChunk, event.value)
        last_offset = event.message.offset
        if partition.taken.jumps(fetched):
            await self._app.accept_expired(partition, fetched.start)
            if not partition.live:
                return
        partition.taken.follow(fetched)
        partition.last_record_at = self._app.loop.time()
        held = Held(last_offset, event, [])
        if fetched.chunk.offsets:
            rejected = await take_with_retries(table, partition, fetched.chunk)
            if rejected is None:
                partition.lose()  # it has not got what it is told to have followed
                return
            partition.held.append(held)
            partition.unflushed += len(fetched.chunk.offsets)
            if rejected:
                held.letters = await self._writer.send_dead_letters(
                    partition, fetched, rejected, table.name
                )
            fetched.forget_records()
        else:
            partition.held.append(held)

    async def flush(self, partition: OwnedPartition) -> None:
        """Apply what is closed, write what comes of it, then acknowledge its chunks."""
        async with partition.lock:
            if not partition.live:
                return
            partition.unflushed = 0
            stage = partition.stage
            before = stage.applied_offset
            outputs = stage.advance()
            # Taken now, so that they are the state at this very offset.
            rows, applied = stage.dirty_rows(), stage.applied_offset
            try:
                await self._writer.send(outputs)
                await self._writer.write_rows(partition, rows)
                await self._acknowledge(partition, applied)
            except BaseException:
                partition.lose()
                raise
            if applied != before or rows or outputs:
                partition.last_progress_at = self._app.loop.time()

    async def _acknowledge(self, partition: OwnedPartition, applied: int) -> None:
        while partition.held and partition.held[0].last_offset < applied:
            held = partition.held[0]
            await asyncio.gather(*held.letters)
            if not partition.live:
                return  # another generation of the group may have begun
            partition.held.popleft()
            cast(FetchedChunk, held.event.value).applied = True
            held.event.ack()

    async def flush_forever(self) -> None:
        """Flush until the worker closes, each stage soon after what came to it.

        Raises what a flush raised that could not end the worker in order.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._flush_first())
            for table in self._tables[1:]:
                group.create_task(self._flush_when_taken(table))

    async def _flush_first(self) -> None:
        """Flush the first stage once a minute has closed, at its pace.

        Each interval it is flushed in any case: an idle partition may be closed then.
        """
        interval, now = self._config.flush_interval, self._app.loop.time
        rule, pace = FlushRule(), FlushPace(interval)
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._minute_closed.wait()
            # A worker that cannot keep up has to take chunks, too.
            await asyncio.sleep(max(pace.wait(now()), HOP))
            if self._minute_closed.is_set():
                pace.take(now())
            self._minute_closed.clear()
            self._close_idle()
            if rule.is_due(unflushed=self._unflushed(), waiting=self._waiting()):
                began = now()
                await self._flush(self._tables[0].store.live())
                pace.took(now() - began)

    async def _flush_when_taken(self, table: ColumnarTable) -> None:
        """Flush a later stage soon after something came to it.

        A minute waits for its last source, so what comes within a hop is flushed at
        once. By the clock alone, each stage would wait for a whole interval.
        """
        while not self._closing:
            await table.taken.wait()
            await asyncio.sleep(HOP)
            table.taken.clear()
            await self._flush(p for p in table.store.live() if p.held)

    def _unflushed(self) -> int:
        return sum(p.unflushed for p in self._tables[0].store.live())

    def _waiting(self) -> int:
        """Count the records of the first input that are in the log and not here."""
        live = self._tables[0].store.live()
        ends = ((p, self._app.consumer.known_end(p.source)) for p in live)
        return sum(max(0, end - p.taken.expected) for p, end in ends if end)

    async def flush_all(self) -> None:
        """Flush every live partition once, side by side."""
        await self._flush([p for table in self._tables for p in table.store.live()])

    async def _flush(self, partitions: Iterable[OwnedPartition]) -> None:
        await asyncio.gather(*(self._flush_or_fail(p) for p in partitions))

    async def _flush_or_fail(self, partition: OwnedPartition) -> None:
        try:
            await self.flush(partition)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is fatal
            self._app.fail(error, partition.source, partition.stage.applied_offset)

    def _close_idle(self) -> None:
        now = self._app.loop.time()
        live = [p for table in self._tables for p in table.store.live()]
        self._watermarks.note(now, (p.stage.open_minute for p in live))
        reached = self._watermarks.before(now)
        # A chunk that its stage has not got yet counts as read, but not as silence.
        if reached is None or self._tables[0].retrying:
            return
        for partition in self._tables[0].store.live():
            silent = now - partition.last_record_at >= self._config.idle_timeout
            if not (silent and self._is_read_to_end(partition)):
                continue
            try:
                partition.stage.close_idle(reached - 1)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is fatal
                partition.lose()
                self._app.fail(error, partition.source, partition.taken.expected)

    def _is_read_to_end(self, partition: OwnedPartition) -> bool:
        last = self._app.consumer.last_chunk_before(partition.source)
        return last is not None and partition.taken.has_followed(*last)

    async def release(self) -> None:
        """Suspend all partitions and wait until no flush of theirs is under way."""
        self._watermarks.clear()
        owned = [p for t in self._tables for p in t.store.partitions.values()]
        for partition in owned:
            partition.suspend()
        for partition in owned:
            await partition.settle()

    async def close(self) -> None:
        """Flush a last time, before the worker leaves its group."""
        self._closing = True
        self._minute_closed.set()
        for table in self._tables:
            table.taken.set()
        await self.flush_all()
