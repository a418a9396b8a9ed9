"""The Faust table around the stage objects of one stage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from faust.serializers.schemas import Schema
from faust.tables.table import Table
from faust.types import TP, AppT, EventT, Message, TopicT
from faust.types.stores import StoreT
from yarl import URL

from streams.agents.columnar_store import ColumnarStore
from streams.agents.owned_partition import OwnedPartition
from streams.engine.stage import Stage

__all__ = ["ChunkSchema", "ColumnarTable"]

# At 1, Faust goes on reading the changelog after recovery, that is what we write.
_RECOVERY_BUFFER = 2  # chunks


class ChunkSchema(Schema[Any, Any]):
    """Passes a chunk on as the event's value: bytes are decoded by the stage."""

    def compile(
        self, app: AppT, **_callbacks: Any
    ) -> Callable[..., Awaitable[EventT[Any]]]:
        """Return the function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Message, **_options: Any) -> EventT[Any]:
            return create_event(None, message.value, None, message)

        return decode


class ColumnarTable(Table[bytes, bytes]):
    """State of one stage, as Faust assigns, recovers and co-partitions it."""

    def __init__(
        self,
        app: AppT,
        *,
        name: str,
        source_topic: str,
        partitions: int,
        make: Callable[[int], Stage],
    ) -> None:
        super().__init__(
            app,
            name=name,
            partitions=partitions,
            recovery_buffer_size=_RECOVERY_BUFFER,
            key_type=bytes,
            value_type=bytes,
        )
        self.source_topic = source_topic
        self.taken = asyncio.Event()  # set when a chunk was taken, for who flushes
        self.retrying = False  # its agent waits for what a stage cannot do without
        self._make = make

    @property
    def store(self) -> ColumnarStore:
        """The stage objects."""
        return cast(ColumnarStore, self.data)

    def own(self, partition: int) -> OwnedPartition:
        """Make the object of a newly assigned partition."""
        return OwnedPartition(
            TP(self.source_topic, partition),
            TP(self.changelog_topic_name, partition),
            self._make(partition),
        )

    def _new_store(self) -> StoreT[Any, Any]:
        return ColumnarStore(URL("columnar:"), self.app, self, loop=self.loop)

    def _new_changelog_topic(self, **_options: Any) -> TopicT:
        return self.app.topic(
            self._changelog_topic_name(),
            schema=ChunkSchema(),
            partitions=self.partitions,
            acks=False,
            allow_empty=True,
        )
