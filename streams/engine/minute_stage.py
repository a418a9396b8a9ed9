"""What the later stages share: whole minutes in, outputs of each minute out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar, Generic, TypeVar

from streams.contracts.stage_batch import StageBatch, decode_batch
from streams.engine.minute_inbox import Barrier, MinuteInbox
from streams.engine.minute_inbox import Row as InboxRow
from streams.engine.stage import Chunk, Output, Rejected
from streams.errors import ContractError, UndecodableRecord

__all__ = ["MinuteStage"]

NewsT = TypeVar("NewsT")


class MinuteStage(ABC, Generic[NewsT]):
    """A stage whose records are batches of closed minutes from several sources.

    A subclass names its ``record``, decodes payloads to rows that begin with their
    minute, applies one minute at a time, and turns what that gave into outputs.
    """

    record: ClassVar[str]

    def __init__(self, partition: int, *, sources: int) -> None:
        self.partition = partition
        self._inbox = MinuteInbox(sources)
        self._sent_minute = -1

    @property
    def applied_offset(self) -> int:
        """Offset of the first record that is not yet wholly in the state."""
        return self._inbox.applied_offset

    @property
    def open_minute(self) -> int | None:
        """One past the latest minute that any source has closed."""
        return self._inbox.open_minute

    def close_idle(self, minute: int) -> None:
        """Do nothing: minutes close by what the stage before says."""

    def take(self, chunk: Chunk) -> list[Rejected]:
        """Decode a chunk of batches and buffer its rows."""
        rejected = []
        for offset, value in zip(chunk.offsets, chunk.values, strict=True):
            if offset < self._inbox.next_offset:
                continue
            try:
                if value is None:
                    raise UndecodableRecord(f"there are no tombstones of {self.record}")
                self._receive(offset, decode_batch(self.record, value))
            except ContractError as error:
                self._inbox.skip(offset)
                rejected.append(Rejected(offset, error))
        return rejected

    def advance(self) -> list[Output]:
        """Apply the minutes that all sources have closed; return what they give."""
        barriers = self._inbox.release_barriers()
        closed, rows = self._inbox.release()
        if closed == self._sent_minute and not barriers:
            return []
        self._sent_minute = closed
        news: list[NewsT] = []
        waiting = iter([*barriers, None])
        barrier = next(waiting)
        for minute, group in groupby(rows, key=itemgetter(0)):
            while barrier is not None and barrier.minute < minute:
                news.extend(self._apply_barrier(barrier))
                barrier = next(waiting)
            news.extend(self._apply_minute(minute, list(group)))
        while barrier is not None:
            news.extend(self._apply_barrier(barrier))
            barrier = next(waiting)
        news.extend(self._end_minutes(closed))
        return self._outputs(news, closed)

    def _receive(self, offset: int, batch: StageBatch) -> None:
        """Buffer a batch."""
        self._inbox.add(offset, batch, self._decode(batch.payload))

    def _apply_barrier(self, barrier: Barrier) -> Iterable[NewsT]:
        """Apply what came between two minutes; only a stage that adds any has any."""
        raise NotImplementedError(barrier)

    def _end_minutes(self, closed: int) -> Iterable[NewsT]:
        """Do what the minutes up to ``closed`` bring without any row; nothing here."""
        del closed
        return ()

    @abstractmethod
    def _decode(self, payload: bytes) -> list[InboxRow]:
        """Decode the payload of a batch; raise a `ContractError` on anything else."""

    @abstractmethod
    def _apply_minute(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> Iterable[NewsT]:
        """Apply the sorted rows of one minute."""

    @abstractmethod
    def _outputs(self, news: list[NewsT], closed: int) -> list[Output]:
        """Make the records that tell what the minutes up to ``closed`` gave."""
