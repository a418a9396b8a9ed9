"""The inbox of the facets stage: it holds columns, and parts them by minute."""

from __future__ import annotations

from streams.engine.facet_uses import FacetNews
from streams.engine.minute_inbox import MinuteInbox

__all__ = ["FacetInbox"]


class FacetInbox(MinuteInbox):
    """A `MinuteInbox` whose rows are blocks of columns, each of several minutes."""

    def _part(
        self, rows: list[FacetNews], minute: int
    ) -> tuple[list[FacetNews], list[FacetNews]]:
        parts = [block.split(minute) for block in rows]
        return (
            [done for done, _ in parts if done],
            [rest for _, rest in parts if rest],
        )

    def _latest(self, rows: list[FacetNews]) -> int:
        return max((block.latest for block in rows), default=-1)
