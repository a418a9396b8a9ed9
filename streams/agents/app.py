"""The Faust app of one worker, made by a function so that importing starts nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import faust
from faust.types import TP, StreamT
from faust.types.transports import TransportT

from streams.agents.broker_writer import BrokerWriter
from streams.agents.changelog import ChangelogWriter
from streams.agents.chunked_transport import ChunkedTransport
from streams.agents.collector import settle
from streams.agents.columnar_table import ChunkSchema, ColumnarTable
from streams.agents.fetched_chunk import FetchedChunk
from streams.agents.flush_rule import longest_poll
from streams.agents.group_exit import member_name
from streams.agents.owned_partition import OwnedPartition
from streams.agents.placed_stage import PlacedStage
from streams.agents.stage_agent import StageAgents
from streams.agents.watchdog import Watchdog
from streams.config import Config
from streams.errors import BusError, StateError

__all__ = ["DetectorApp", "Progress", "make_app"]

_log = logging.getLogger(__name__)

# Chunks that wait for an agent; the reader stops when they are that many.
_QUEUED_CHUNKS = 8
# Six chances within a session, and often enough to hear of a rebalance soon.
_HEARTBEATS_PER_SESSION = 6
_HEARTBEAT_SLOWEST = 1.0  # s
_BATCH_BYTES = 512 * 1024  # half of the broker's default limit
_REQUEST_TIMEOUT = 30.0  # s, Kafka's default; Faust's is 20 minutes


class Progress(NamedTuple):
    """How far one partition is; ``silent_for`` seconds since a flush moved anything.

    ``lag`` counts the records between the applied offset and the end of the log; None
    before the end is known.
    """

    stage: str
    partition: int
    applied_offset: int
    lag: int | None
    silent_for: float


class DetectorApp(faust.App):
    """Faust, with chunks for messages and stage objects for tables."""

    def __init__(
        self, config: Config, stages: Sequence[PlacedStage], **options: Any
    ) -> None:
        super().__init__(config.app_id, **options)
        self.chunk_records = config.chunk_records
        self.longest_poll = longest_poll(config.flush_interval)
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.on_ready: Callable[[list[OwnedPartition]], None] = lambda _owned: None
        self._writer = BrokerWriter(self._aiokafka_producer)
        self.stage_tables = tuple(self._add_stage(stage) for stage in stages)
        self.stage_agents = StageAgents(self, config, self.stage_tables, self._writer)
        self.watchdog = Watchdog(self, self.stage_tables, config.stall_timeout)
        self.task(self.stage_agents.flush_forever)

    def _add_stage(self, stage: PlacedStage) -> ColumnarTable:
        table = ColumnarTable(
            self,
            name=stage.name,
            source_topic=stage.input_topic,
            partitions=stage.partitions,
            make=stage.make,
        )
        self.tables.add(table)

        async def take(stream: StreamT[FetchedChunk]) -> None:
            await self.stage_agents.run(table, stream)

        source = self.topic(
            stage.input_topic,
            schema=ChunkSchema(),
            partitions=stage.partitions,
            allow_empty=True,
        )
        self.agent(source, name=stage.name, concurrency=1)(take)
        return table

    def _aiokafka_producer(self) -> Any:
        return cast(Any, self.producer)._ensure_producer()

    def owned(self) -> list[OwnedPartition]:
        """Return the partitions of all stages that take chunks here."""
        return [p for table in self.stage_tables for p in table.store.live()]

    def applied_offsets(self) -> dict[TP, int]:
        """Return where the state of each live partition ends."""
        return {p.source: p.stage.applied_offset for p in self.owned()}

    def progress(self) -> list[Progress]:
        """Return how far each partition is: liveness means that this moves."""
        now = self.loop.time()
        rows = []
        for table in self.stage_tables:
            for p in table.store.live():
                end = self.consumer.highwater(p.source)
                applied = p.stage.applied_offset
                lag = None if end is None else max(0, end - applied)
                silent = now - p.last_progress_at
                rows.append(
                    Progress(table.name, p.source.partition, applied, lag, silent)
                )
        return rows

    def fail(self, error: Exception, tp: TP, offset: int | None = None) -> None:
        """End the worker because of ``error``: nothing goes on past this place."""
        place = f"{tp.topic}[{tp.partition}]" + ("" if offset is None else f"@{offset}")
        _log.critical("%s: %s: %s", place, type(error).__name__, error, exc_info=error)
        self._crash(error)

    def _crash(self, reason: BaseException) -> None:
        """Take note of a failure, ours or of a service of Faust's, and end."""
        super()._crash(reason)
        if self.failure is None:
            self.failure = reason
            self.on_failure()

    async def fence(self, partition: OwnedPartition, epoch: int) -> None:
        """Keep former owners out of what comes behind this in the changelog."""
        partition.note_fence(await self._writer.write_fence(partition, epoch))

    async def take_over(self, partition: OwnedPartition) -> None:
        """Let a partition go live: a kept one, or one that was read up to its fence."""
        if partition.kept:
            await self._go_on(partition)
            return
        if partition.read.expected <= partition.fence:
            tp = partition.changelog
            raise StateError(
                f"{tp.topic}[{tp.partition}]@{partition.read.expected}: recovery ended "
                f"before the fence at {partition.fence}; restart the worker"
            )
        reader, epoch = partition.reader, self.consumer_generation_id
        if reader.epoch > epoch:
            # The group was deleted and counts its generations anew. It had no member
            # for days then, so no former owner is alive to write before this fence.
            epoch = reader.epoch + 1
            await self.fence(partition, epoch)
        if not partition.lost:
            writer = reader.take_over(epoch, partition.fence)
            partition.go_live(writer, self.loop.time())

    async def _go_on(self, partition: OwnedPartition) -> None:
        writer, epoch = partition.writer, self.consumer_generation_id
        if writer is None:
            raise BusError(f"{partition.place}: kept, although it was never live")
        if writer.epoch >= epoch:  # the group counts its generations anew
            epoch = writer.epoch + 1
            await self.fence(partition, epoch)
        if not partition.lost:
            partition.resume(ChangelogWriter(epoch, writer.ranges), self.loop.time())

    async def accept_expired(self, partition: OwnedPartition, start: int) -> None:
        """Go on at ``start`` if the records before it are gone from the log."""
        earliest = (await self.consumer.earliest_offsets(partition.source))[
            partition.source
        ]
        if earliest >= start:
            _log.error(
                "%s@%d: retention deleted the records before %d unread; going on there",
                partition.place,
                partition.taken.expected,
                start,
            )
            partition.taken.skip_to(start)

    def on_rebalance_end(self) -> None:
        """Say that the partitions are recovered and live."""
        super().on_rebalance_end()
        settle()
        self.on_ready(self.owned())

    async def on_stop(self) -> None:
        """Flush a last time while the partitions are still ours, then stop."""
        if self.failure is None and not self.rebalancing:
            await self.stage_agents.close()
        await self.stage_agents.release()
        await super().on_stop()

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        await self.stage_agents.release()
        await super()._on_partitions_revoked(revoked)

    def _new_transport(self) -> TransportT:
        return ChunkedTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> TransportT:
        return ChunkedTransport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Do nothing: state lives in memory and in the changelog."""


def make_app(
    config: Config, stages: Sequence[PlacedStage], *, worker_index: int = 0
) -> DetectorApp:
    """Make the app of one worker.

    ``worker_index`` tells the workers of one machine apart in Faust's assignment.
    """
    heartbeat = min(
        config.session_timeout / _HEARTBEATS_PER_SESSION, _HEARTBEAT_SLOWEST
    )
    return DetectorApp(
        config,
        stages,
        broker=[f"kafka://{server}" for server in config.bootstrap.split(",")],
        broker_client_id=member_name(worker_index),
        canonical_url=f"http://worker-{worker_index}",
        autodiscover=False,
        processing_guarantee="at_least_once",
        broker_session_timeout=config.session_timeout,
        broker_heartbeat_interval=heartbeat,
        broker_commit_interval=config.flush_interval,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        # What is many is compressed in `record_batch`, the rest by the broker.
        producer_compression_type=None,
        producer_max_batch_size=_BATCH_BYTES,
        producer_request_timeout=_REQUEST_TIMEOUT,
        stream_buffer_maxsize=_QUEUED_CHUNKS,
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
