"""The inbox of the campaigns stage: it holds columns, and parts them by minute."""

from __future__ import annotations

from streams.engine.link_news import LinkNews
from streams.engine.minute_inbox import MinuteInbox

__all__ = ["LinkInbox"]


class LinkInbox(MinuteInbox):
    """A `MinuteInbox` whose rows are blocks of columns, each of several minutes."""

    def _part(
        self, rows: list[LinkNews], minute: int
    ) -> tuple[list[LinkNews], list[LinkNews]]:
        parts = [block.split(minute) for block in rows]
        return (
            [done for done, _ in parts if done],
            [rest for _, rest in parts if rest],
        )

    def _latest(self, rows: list[LinkNews]) -> int:
        return max((block.latest for block in rows), default=-1)
