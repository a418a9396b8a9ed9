"""One partition of one stage while this worker owns it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Awaitable
from typing import Any

from faust.types import TP, EventT

from streams.agents.changelog import ChangelogReader, ChangelogWriter
from streams.agents.fetched_chunk import Continuity, FetchedChunk
from streams.bus.record_columns import byte_column, header_column
from streams.engine.row_block import RowBlock
from streams.engine.stage import Stage

__all__ = ["Held", "OwnedPartition"]


@dataclasses.dataclass(slots=True)
class Held:
    """A chunk in the stage's memory that is not yet acknowledged.

    ``letters`` are its dead letters on their way to the broker.
    """

    last_offset: int
    event: EventT[Any]
    letters: list[Awaitable[object]]


class OwnedPartition:
    """A stage object, the chunks it has not applied yet, and its changelog.

    It is *restoring* until `go_live`, *live* until `lose`, and never comes back:
    the next assignment makes a new one. A lost partition sends nothing more.
    """

    def __init__(self, source: TP, changelog: TP, stage: Stage) -> None:
        self.source = source
        self.changelog = changelog
        self.stage = stage
        self.lock = asyncio.Lock()
        self.held: deque[Held] = deque()
        self.unflushed = 0
        self.restored_rows = 0
        self.last_record_at = 0.0
        self.last_progress_at = 0.0
        self.lost = False
        self.fence = -1  # offset of this owner's fence in the changelog
        self.reader = ChangelogReader(_place(changelog))
        self.read = Continuity(_place(changelog), 0)
        self.taken = Continuity(self.place, 0)
        self.writer: ChangelogWriter | None = None

    @property
    def place(self) -> str:
        """The input partition as errors name it."""
        return _place(self.source)

    @property
    def live(self) -> bool:
        """Whether chunks may be taken and results sent."""
        return self.writer is not None and not self.lost

    def restore(self, fetched: FetchedChunk) -> None:
        """Feed a chunk of the changelog to the stage."""
        if not self.read.began:
            self.read.skip_to(fetched.start)
        self.read.follow(fetched)
        chunk = fetched.chunk
        rows = RowBlock(byte_column(chunk.keys), byte_column(chunk.values))
        headers = header_column(fetched.headers)
        for part in self.reader.read(chunk.offsets, rows, headers):
            self.restored_rows += len(part)
            self.stage.restore(part)

    def go_live(self, writer: ChangelogWriter, now: float) -> None:
        """End the restoration: from here on chunks are taken."""
        self.stage.restored()
        self.taken.skip_to(self.stage.applied_offset)
        self.last_record_at = self.last_progress_at = now
        self.writer = writer

    def lose(self) -> None:
        """Give the partition up, at once and for good."""
        self.lost = True
        self.held.clear()


def _place(tp: TP) -> str:
    return f"{tp.topic}[{tp.partition}]"
