"""Everything a worker writes to Kafka, acknowledged by the broker before it returns."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.agents.changelog import fence
from streams.agents.fetched_chunk import FetchedChunk
from streams.agents.owned_partition import OwnedPartition
from streams.bus.cloudevents import headers as event_headers
from streams.bus.dead_letters import dead_letter_headers
from streams.bus.record_batch import RecordBatch, encode_headers, record_batches
from streams.engine.murmur2 import partition_of
from streams.engine.stage import DirtyRows, Output, Rejected
from streams.errors import BusError

__all__ = ["DEAD_LETTER_TOPIC", "SOURCE", "BrokerWriter"]

DEAD_LETTER_TOPIC = "llm.requests.dlq"
SOURCE = "distillwatch"


@dataclass(slots=True, eq=False)
class _Parcel:
    """Outputs of one stage for a partition; ``sent`` once the broker has them."""

    outputs: Sequence[Output]
    sent: asyncio.Future[None]


@dataclass(slots=True)
class _Outbox:
    """What waits to be sent to a partition."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Parcel] = field(default_factory=list)


class BrokerWriter:
    """Writes through aiokafka's producer below Faust's.

    ``producer`` gives the running ``AIOKafkaProducer``; it retries by itself for its
    request timeout, in order and without repeats (it is idempotent), so an error that
    comes out of it ends the worker.
    """

    def __init__(self, producer: Callable[[], Any]) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}
        self._outboxes: defaultdict[tuple[str, int], _Outbox] = defaultdict(_Outbox)
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(
            asyncio.Lock
        )

    async def send(self, outputs: Sequence[Output]) -> None:
        """Send the outputs of a stage and wait until the broker has them all.

        Event time travels as ``ce_time``. The record's own timestamp is the time of
        sending: retention goes by it, and would delete what a replay of last month's
        requests gives before the next stage has read it.
        """
        placed: dict[tuple[str, int], list[Output]] = {}
        for output in outputs:
            number = output.partition
            if number is None:
                number = await self._partition(output.topic, output.key)
            placed.setdefault((output.topic, number), []).append(output)
        await asyncio.gather(
            *(self._send_placed(*to, some) for to, some in placed.items())
        )

    async def _partition(self, topic: str, key: bytes | None) -> int:
        count = self._partitions.get(topic)
        if count is None:
            found: set[int] = await self._producer().partitions_for(topic)
            count = self._partitions[topic] = len(found)
        return partition_of((key or b"").decode(), count)

    async def _send_placed(
        self, topic: str, partition: int, outputs: Sequence[Output]
    ) -> None:
        """Send outputs, with what others have for the same partition meanwhile.

        Flushes run side by side, and each partition of requests has something for each
        of facets. A partition takes one batch at a time: one after the other, each
        would wait for the answers to all before it.
        """
        outbox = self._outboxes[topic, partition]
        parcel = _Parcel(outputs, asyncio.get_running_loop().create_future())
        outbox.waiting.append(parcel)
        try:
            await asyncio.sleep(0)  # until the others have put theirs in
            async with outbox.turn:
                if parcel in outbox.waiting:
                    await self._send_waiting(outbox, topic, partition)
        finally:
            if parcel in outbox.waiting:
                outbox.waiting.remove(parcel)
        await parcel.sent

    async def _send_waiting(self, outbox: _Outbox, topic: str, partition: int) -> None:
        """Send all that waits; what goes wrong is told to everybody."""
        parcels, outbox.waiting = outbox.waiting, []
        outputs = [output for parcel in parcels for output in parcel.outputs]
        batches = record_batches(
            [output.key for output in outputs],
            [output.value for output in outputs],
            [encode_headers(_headers(output)) for output in outputs],
            _now(),
        )
        try:
            for batch in batches:
                await (await self._send_batch(batch, topic, partition))
        except BaseException as error:
            told = error
            if not isinstance(error, Exception):
                told = BusError(f"sending to {topic}[{partition}] was given up")
            for parcel in parcels:
                if not parcel.sent.done():
                    parcel.sent.set_exception(told)
            if told is not error:
                raise
        else:
            for parcel in parcels:
                if not parcel.sent.done():
                    parcel.sent.set_result(None)

    async def send_dead_letters(
        self,
        partition: OwnedPartition,
        fetched: FetchedChunk,
        rejected: Sequence[Rejected],
        stage: str,
    ) -> list[Awaitable[object]]:
        """Send refused records as they came; return what to await."""
        producer = self._producer()
        topic, number = partition.source
        where = {offset: i for i, offset in enumerate(fetched.chunk.offsets)}
        letters = []
        for offset, error in rejected:
            i = where[offset]
            reasons = dead_letter_headers(topic, number, offset, error, stage=stage)
            letters.append(
                await producer.send(
                    DEAD_LETTER_TOPIC,
                    fetched.chunk.values[i],
                    key=fetched.chunk.keys[i],
                    headers=[*fetched.headers[i], *reasons],
                )
            )
        return letters

    async def write_rows(self, partition: OwnedPartition, rows: DirtyRows) -> None:
        """Write a flush to the changelog: the batches in order, its end last.

        Stops between two batches when the partition is lost: without their end the
        rows written do not count.
        """
        writer = partition.writer
        if writer is None:
            raise BusError(f"{partition.place}: rows to write before it is live")
        if not rows:
            return
        tails = [encode_headers(writer.row_headers)] * len(rows)
        tails[-1] = encode_headers(writer.end_headers)
        for batch in record_batches(rows.keys, rows.values, tails, _now()):
            if partition.lost:
                return
            sent = await (await self._send_batch(batch, *partition.changelog))
            partition.note_written(sent.offset, batch.record_count())

    async def write_fence(self, partition: OwnedPartition, epoch: int) -> int:
        """Write the fence of a new owner; return its offset."""
        topic, number = partition.changelog
        key, headers = fence(epoch)
        metadata = await self._producer().send_and_wait(
            topic, b"", key=key, partition=number, headers=headers
        )
        return int(metadata.offset)

    async def _send_batch(
        self, batch: RecordBatch, topic: str, partition: int
    ) -> Awaitable[Any]:
        """Put a batch into the queue of its partition; return what to await.

        One at a time: aiokafka holds one batch of a partition, and of several that wait
        for its place it takes the first, whose next one may come before the others.
        Its timeout counts each round anew, so the last of eight fails far too early.
        """
        async with self._turns[topic, partition]:
            sent: Awaitable[Any] = await self._producer().send_batch(
                batch, topic, partition=partition
            )
        return sent


def _headers(output: Output) -> list[tuple[str, bytes]]:
    return event_headers(output.event_id, output.type, SOURCE, output.timestamp)


def _now() -> int:
    return time.time_ns() // 1_000_000
