"""A Faust transport that hands over chunks instead of single records.

Faust's consumer makes two tasks per message, about 150 µs. Here one message carries up
to ``chunk_records`` consecutive records of one partition, with the offset of the last.
The shell acknowledges chunks in order, so Faust commits to the end of the last of them.
Agents, rebalancing, commits and changelog recovery stay Faust's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from time import monotonic
from typing import Any, ClassVar, cast

from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from faust.types.transports import ConsumerT, ProducerT

from streams.agents.broker_answers import BrokerAnswers
from streams.agents.fetched_chunk import FetchedChunk
from streams.bus.record_columns import RecordColumns
from streams.engine.stage import Chunk

__all__ = ["ChunkedConsumer", "ChunkedTransport", "IdempotentProducer"]

_REBALANCE_POLL = 0.02  # s; how often a paused read looks whether it may go on
# What is handed over at once holds back what comes after it: some 50 ms.
_CHUNKS_AT_ONCE = 4
_Chunks = list[FetchedChunk]


class _Run:
    """The chunks of a partition since its position was last set.

    ``handed`` is the end of the last chunk; ``position`` is aiokafka's, which aborted
    transactions move without giving a record.
    """

    __slots__ = ("handed", "index", "number", "position")

    def __init__(self, number: int, position: int) -> None:
        self.number = number
        self.index = -1
        self.handed = position
        self.position = position


class _ChunkedThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to the broker; all of aiokafka's state belongs to it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._answers: BrokerAnswers | None = None
        self._runs: dict[TP, _Run] = {}
        self._runs_made = 0
        self._runs_of: object = None  # the assignment that the runs belong to
        self._seeking = False
        self.first_run = 0  # chunks of lower runs were read before the last seek

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, _Chunks]:
        fetcher = consumer._fetcher
        if self._answers is None:
            longest_poll = cast(ChunkedConsumer, self.consumer).longest_poll
            self._answers = BrokerAnswers(fetcher, longest_poll=longest_poll)
        subscriptions = fetcher._subscriptions
        # A copy: Faust changes the set in place, and an empty set means "all" below.
        wanted = frozenset(active_partitions)
        enough = _CHUNKS_AT_ONCE * cast(ChunkedConsumer, self.consumer).chunk_records
        deadline = monotonic() + (timeout or 0.0)
        with subscriptions.fetch_context():
            while True:
                if consumer._closed or fetcher._closed:
                    raise ConsumerStoppedError
                if (
                    not wanted
                    or self._seeking
                    or not self.consumer.flow_active
                    or subscriptions.reassignment_in_progress
                ):
                    await asyncio.sleep(_REBALANCE_POLL)
                    return {}
                self._begin_runs(consumer)
                # This takes what is there without giving way, so the positions before
                # and after belong to these records.
                records = self._answers.take(wanted, enough)
                for tp, position in self._positions(consumer).items():
                    self._runs[tp].position = position
                if records:
                    return {tp: self._cut(tp, found) for tp, found in records.items()}
                remaining = deadline - monotonic()
                if remaining <= 0:
                    return {}
                waiter = fetcher._create_fetch_waiter()
                done, _ = await asyncio.wait([waiter], timeout=remaining)
                if done:
                    waiter.result()  # raises if aiokafka failed
                else:
                    waiter.cancel()
                    return {}

    def _positions(self, consumer: Any) -> dict[TP, int]:
        assignment = consumer._subscription.subscription.assignment
        if assignment is None:
            return {}
        states = ((tp, assignment.state_value(tp)) for tp in assignment.tps)
        return {tp: s.position for tp, s in states if s.has_valid_position}

    def _begin_runs(self, consumer: Any) -> None:
        assignment = consumer._subscription.subscription.assignment
        if self._runs_of is not assignment:
            # Whoever owns a partition now has not seen the chunks of before, even if
            # the position is where it was: all of them were committed then.
            self._runs.clear()
            self._runs_of = assignment
        for tp, position in self._positions(consumer).items():
            run = self._runs.get(tp)
            if run is None or run.position != position:
                self._runs[tp] = _Run(self._runs_made, position)
                self._runs_made += 1

    def _cut(self, tp: TP, records: RecordColumns) -> _Chunks:
        size = cast(ChunkedConsumer, self.consumer).chunk_records
        if cast(ChunkedConsumer, self.consumer).is_changelog(tp):
            # Recovery has nothing else to do, and takes columns: the larger the better.
            size = len(records.offsets)
        run = self._runs[tp]
        chunks = []
        for begin in range(0, len(records.offsets), size):
            part = records.part(begin, begin + size)
            start, run.index = run.handed, run.index + 1
            run.handed = part.offsets[-1] + 1
            chunks.append(_as_chunk(part, run, start))
        return chunks

    async def begin_seek(self) -> None:
        """Read nothing until `end_seek`: the positions are about to be set."""
        await self.call_thread(self._set_seeking, True)

    async def end_seek(self) -> None:
        """Read again, in new runs."""
        await self.call_thread(self._set_seeking, False)

    async def _set_seeking(self, seeking: bool) -> None:
        self._seeking = seeking
        self._runs.clear()
        self.first_run = self._runs_made

    async def give_back(self, dropped: Mapping[TP, int]) -> None:
        """Read again from these offsets, where nobody has set the position since."""
        await self.call_thread(self._give_back, dropped)

    async def _give_back(self, dropped: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        positions = self._positions(consumer)
        for tp, offset in dropped.items():
            run = self._runs.get(tp)
            if run is not None and run.position == positions.get(tp):
                consumer.seek(tp, offset)
                del self._runs[tp]

    def last_chunk_before(
        self, tp: TP, end: int | None = None
    ) -> tuple[int, int] | None:
        """Return (run, index) of the last chunk if the log is read to ``end``.

        By default ``end`` is what the broker told with its last answer. The index is
        -1 if the run gave no chunk yet; None is returned if more records wait.
        """
        consumer = self._ensure_consumer()
        assignment = consumer._subscription.subscription.assignment
        state = None if assignment is None else assignment.state_value(tp)
        if state is None or not state.has_valid_position:
            return None
        end = state.highwater if end is None else end
        run = self._runs.get(tp)
        if run is None or end is None or not run.position == state.position >= end:
            return None
        return run.number, run.index

    def known_end(self, tp: TP) -> int | None:
        """Return the end of the log as the broker told it last; None before that."""
        consumer = self._ensure_consumer()
        assignment = consumer._subscription.subscription.assignment
        state = None if assignment is None else assignment.state_value(tp)
        return None if state is None else cast("int | None", state.highwater)


def _as_chunk(records: RecordColumns, run: _Run, start: int) -> FetchedChunk:
    offsets, values, timestamps, keys, headers = records
    return FetchedChunk(
        chunk=Chunk(offsets, values, timestamps, keys),
        headers=headers,
        run=run.number,
        index=run.index,
        start=start,
        end=run.handed,
    )


class ChunkedConsumer(driver.Consumer):
    """Faust's consumer, with one message per chunk."""

    _thread: _ChunkedThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chunk_records: int = cast(Any, self.app).chunk_records
        self.longest_poll: float = cast(Any, self.app).longest_poll
        self._acknowledged_end: dict[TP, int] = {}

    def _new_consumer_thread(self) -> _ChunkedThread:
        return _ChunkedThread(self, loop=self.loop, beacon=self.beacon)

    def is_changelog(self, tp: TP) -> bool:
        """Tell whether state is recovered from a partition."""
        return tp.topic in cast(Any, self.app).tables.changelog_topics

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: the full queue itself holds the reader back.

        Faust would take the partition out of the next read, and sleep a whole second
        once all are out.
        """

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: `Watchdog` looks for what stands still.

        Faust's own check fails while a partition's position is being looked up.
        """

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yield one message per chunk, partition by partition in turn."""
        fetched, active = await self._wait_next_records(timeout)
        if not fetched:
            return
        generation = self.app.consumer_generation_id
        dropped: dict[TP, int] = {}
        for tp, chunk in _in_turn(cast("dict[TP, _Chunks]", fetched)):
            if (
                self.flow_active
                and not self.should_stop
                and generation == self.app.consumer_generation_id
                and (active is None or tp in active)
            ):
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                # As if the record before the last had just been read: Faust's own
                # gap for missing offsets would take in the last one, too.
                self._read_offset[tp] = chunk.chunk.offsets[-1] - 1
                yield tp, self._to_message(tp, chunk)
            else:
                dropped.setdefault(tp, chunk.start)
        if dropped and not self.should_stop:
            await self._thread.give_back(dropped)

    def _to_message(self, tp: TP, record: FetchedChunk) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            record.chunk.offsets[-1],
            record.chunk.timestamps[-1] / 1000.0,
            0,  # create time
            None,
            None,
            cast(bytes, record),
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def ack(self, message: Message) -> bool:
        """Mark a chunk, and with it all offsets before its end, as done.

        Faust also acknowledges what it skips in a rebalance; a chunk that the shell
        has not marked as applied, or of an older generation, is left alone.
        """
        fetched = cast(Any, message.value)
        if not isinstance(fetched, FetchedChunk):
            return super().ack(message)
        self._unacked_messages.discard(message)
        if message.acked:
            return False
        message.acked = True
        if not fetched.applied:
            return False
        if message.generation_id != self.app.consumer_generation_id:
            return False
        tp, end = message.tp, message.offset + 1
        done = max(self._committed_offset[tp] or 0, self._acknowledged_end.get(tp, 0))
        if end <= done:  # read again after it was acknowledged
            return False
        self._acknowledged_end[tp] = end
        self._acked.setdefault(tp, [])  # Faust commits the partitions that are here
        return True

    def _new_offset(self, tp: TP) -> int | None:
        """Return the end of what is done: the shell acknowledges chunks in order.

        Faust would look at each offset, one by one, for holes between them.
        """
        return self._acknowledged_end.get(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was acknowledged, as Faust does."""
        for tp in revoked:
            self._acknowledged_end.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    @property
    def first_run(self) -> int:
        """Chunks of lower runs were read before the last seek and come again."""
        return self._thread.first_run

    async def perform_seek(self) -> None:
        """Go to the committed offsets, or before them where the state lies behind.

        Faust lets the partitions be read a moment before this; what is read then
        comes again, so it is told apart by its run.
        """
        await self._thread.begin_seek()
        try:
            await super().perform_seek()
            await self._seek_back()
        finally:
            await self._thread.end_seek()

    async def _seek_back(self) -> None:
        applied: Mapping[TP, int] = cast(Any, self.app).applied_offsets()
        assigned = self.assignment()
        back, unread = {}, []
        for tp in assigned:
            committed = self._committed_offset.get(tp)
            if tp not in applied:
                continue
            if not committed:
                unread.append(tp)
                self._read_offset[tp] = None
            elif applied[tp] < committed:
                self.log.warning(
                    "%s[%d]: the state ends at %d, before the committed offset %d; "
                    "reading again from there",
                    tp.topic,
                    tp.partition,
                    applied[tp],
                    committed,
                )
                back[tp] = applied[tp]
        if unread:
            await self._thread.seek_to_beginning(
                *(driver.ensure_aiokafka_TP(tp) for tp in unread)
            )
        if back:
            await self.seek_wait(back)

    def last_chunk_before(
        self, tp: TP, end: int | None = None
    ) -> tuple[int, int] | None:
        """Return the numbers of the last chunk if the log is read to ``end``."""
        return self._thread.last_chunk_before(tp, end)

    def known_end(self, tp: TP) -> int | None:
        """Return the end of the log as the broker told it last; None before that."""
        return self._thread.known_end(tp)


def _in_turn(fetched: Mapping[TP, _Chunks]) -> Iterable[tuple[TP, FetchedChunk]]:
    """Give partition by partition in turn, those with few records first.

    They are what the stages tell each other: it must not wait until there is room for
    chunks of requests.
    """
    few_first = sorted(fetched.items(), key=lambda item: _records(item[1]))
    rest = {tp: iter(chunks) for tp, chunks in few_first}
    while rest:
        for tp in list(rest):
            chunk = next(rest[tp], None)
            if chunk is None:
                del rest[tp]
            else:
                yield tp, chunk


def _records(chunks: _Chunks) -> int:
    return sum(len(chunk.chunk.offsets) for chunk in chunks)


class IdempotentProducer(driver.Producer):
    """Faust's producer with sequence numbers: a retry can neither repeat nor reorder.

    A row that a slow broker appends after its retry would put old state over new.
    """

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class ChunkedTransport(driver.Transport):
    """The aiokafka transport with the two classes above."""

    Consumer: ClassVar[type[ConsumerT]] = ChunkedConsumer
    Producer: ClassVar[type[ProducerT]] = IdempotentProducer
