"""The inbox of a stage that is told in columns: it parts them by minute."""

from __future__ import annotations

from typing import Protocol

from streams.engine.minute_inbox import MinuteInbox

__all__ = ["ColumnInbox", "MinuteColumns"]


class MinuteColumns(Protocol):
    """Columns whose rows are of several minutes; false without rows."""

    def __bool__(self) -> bool: ...

    @property
    def latest(self) -> int:
        """The latest minute of all rows, -1 without any."""

    def split(self, minute: int) -> tuple[MinuteColumns, MinuteColumns]:
        """Part the rows up to ``minute``, inclusive, from the later ones."""


class ColumnInbox(MinuteInbox):
    """A `MinuteInbox` whose rows are blocks of columns, each of several minutes."""

    def _part(
        self, rows: list[MinuteColumns], minute: int
    ) -> tuple[list[MinuteColumns], list[MinuteColumns]]:
        parts = [block.split(minute) for block in rows]
        return (
            [done for done, _ in parts if done],
            [rest for _, rest in parts if rest],
        )

    def _latest(self, rows: list[MinuteColumns]) -> int:
        return max((block.latest for block in rows), default=-1)
