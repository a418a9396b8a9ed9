"""A later stage that applies its rows one minute at a time, in order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, TypeVar

from streams.engine.batch_stage import BatchStage
from streams.engine.minute_inbox import Barrier, MinuteInbox
from streams.engine.stage import Output

__all__ = ["MinuteStage"]

NewsT = TypeVar("NewsT")


class MinuteStage(BatchStage, Generic[NewsT]):
    """A stage of rows that begin with their minute.

    A subclass applies one minute at a time, and turns what that gave into outputs.
    """

    def __init__(
        self, partition: int, *, sources: int, inbox: MinuteInbox | None = None
    ) -> None:
        super().__init__(partition, inbox or MinuteInbox(sources))

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
        for minute, told in self._by_minute(rows):
            while barrier is not None and barrier.minute < minute:
                news.extend(self._apply_barrier(barrier))
                barrier = next(waiting)
            news.extend(self._apply_minute(minute, told))
        while barrier is not None:
            news.extend(self._apply_barrier(barrier))
            barrier = next(waiting)
        news.extend(self._end_minutes(closed))
        return self._outputs(news, closed)

    def _by_minute(self, rows: list[Any]) -> Iterator[tuple[int, Any]]:
        """Part released rows, which the inbox has sorted, by their minute."""
        for minute, group in groupby(rows, key=itemgetter(0)):
            yield minute, list(group)

    @abstractmethod
    def _apply_barrier(self, barrier: Barrier) -> Iterable[NewsT]:
        """Apply what came between two minutes."""

    @abstractmethod
    def _end_minutes(self, closed: int) -> Iterable[NewsT]:
        """Do what the minutes up to ``closed`` bring without any row."""

    @abstractmethod
    def _apply_minute(self, minute: int, told: Any) -> Iterable[NewsT]:
        """Apply what was told of one minute: its sorted rows."""

    @abstractmethod
    def _outputs(self, news: list[NewsT], closed: int) -> list[Output]:
        """Make the records that tell what the minutes up to ``closed`` gave."""
