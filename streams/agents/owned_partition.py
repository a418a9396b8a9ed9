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

    It is *restoring* until `go_live`, *live* until `suspend`, and live again if the
    next assignment gives it back before anybody else had it. A *lost* partition sends
    nothing more and never comes back: the next assignment makes a new one.
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
        self.suspended = False
        self.receiving = False  # a chunk is on its way into the stage
        self.fence = -1  # offset of this owner's fence in the changelog
        self.alone_until = -1  # behind what it wrote there, with nothing in between
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
        return self.writer is not None and not self.lost and not self.suspended

    def note_fence(self, offset: int) -> None:
        """Take note of its fence in the changelog; lose it if another owner was there.

        A suspended one is whole if its fence lies right behind what it wrote last.
        """
        if self.kept and offset != self.alone_until:
            self.lose()
        self.fence, self.alone_until = offset, offset + 1

    def note_written(self, offset: int, count: int) -> None:
        """Take note of ``count`` records from ``offset`` on that it wrote there."""
        if offset == self.alone_until:
            self.alone_until += count

    @property
    def kept(self) -> bool:
        """Whether it was suspended whole, and may go on from where it is."""
        return self.suspended and not self.lost

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

    def suspend(self) -> None:
        """Take and send nothing while the group shares its partitions out anew.

        A flush that is under way goes on to its end; what was never live is lost.
        """
        self.suspended = True
        if self.writer is None:
            self.lose()

    async def settle(self) -> None:
        """Wait until nothing is under way; lose what is not whole then.

        Chunks that wait for their commit come again, and their dead letters do not.
        """
        async with self.lock:
            pass
        letters = [letter for held in self.held for letter in held.letters]
        results = await asyncio.gather(*letters, return_exceptions=True)
        failed = any(isinstance(result, BaseException) for result in results)
        if failed or self.receiving:
            self.lose()
        self.held.clear()

    def resume(self, writer: ChangelogWriter, now: float) -> None:
        """Go on: nobody else had it since it was suspended."""
        self.last_record_at = self.last_progress_at = now
        self.writer, self.suspended = writer, False

    def lose(self) -> None:
        """Give the partition up, at once and for good."""
        self.lost = True
        self.held.clear()


def _place(tp: TP) -> str:
    return f"{tp.topic}[{tp.partition}]"
