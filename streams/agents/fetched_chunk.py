"""A chunk as the consumer hands it over, and the check that none went missing.

What lies between the broker's answer and a stage (a thread, two queues, rebalances)
may drop what it carries. So each chunk tells the position it was read from: the end of
the chunk before it in its *run*, the chunks read one after the other since a
partition's position was last set, or the beginning of the run. A receiver that takes no
chunk from beyond what it expects has seen every record.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Sequence

from streams.engine.stage import Chunk
from streams.errors import StateError

__all__ = ["Continuity", "FetchedChunk", "Headers"]

Headers = Sequence[tuple[str, bytes | None]]


@dataclasses.dataclass(slots=True, kw_only=True)
class FetchedChunk:
    """Consecutive records of one partition, with what dead letters need.

    ``run`` and ``index`` number the chunk; ``start`` is the position it was read from
    and ``end`` the offset behind its last record. ``applied`` is set by the shell once
    its records are in the state for good: only then it counts as acknowledged.
    """

    chunk: Chunk
    headers: Sequence[Headers]
    run: int
    index: int
    start: int
    end: int
    applied: bool = False

    def drop_before(self, offset: int) -> None:
        """Drop the records before ``offset``; ``start`` stays."""
        skip = bisect_left(self.chunk.offsets, offset)
        if skip:
            offsets, values, timestamps, keys = self.chunk
            self.chunk = Chunk(
                offsets[skip:], values[skip:], timestamps[skip:], keys[skip:]
            )
            self.headers = self.headers[skip:]

    def forget_records(self) -> None:
        """Let the records go: it waits for its flush for as long as its minute does."""
        self.chunk, self.headers = Chunk((), (), ()), ()


class Continuity:
    """Follows the chunks of one partition and refuses a hole.

    ``expected`` is the offset behind the last record seen; ``place`` names the
    partition in errors.

    >>> Continuity("llm.requests[3]", 100).expected
    100
    """

    def __init__(self, place: str, expected: int) -> None:
        self._place = place
        self._run: int | None = None
        self._index = -1
        self.expected = expected

    @property
    def began(self) -> bool:
        """Whether any chunk has come."""
        return self._run is not None

    def jumps(self, fetched: FetchedChunk) -> bool:
        """Whether there are records before this chunk that nobody has seen."""
        return fetched.start > self.expected

    def follow(self, fetched: FetchedChunk) -> None:
        """Take note of a chunk and drop from it what has been seen before.

        Raises `StateError` if chunks before it are missing.
        """
        if self.jumps(fetched):
            raise StateError(
                f"{self._place}@{self.expected}: records before {fetched.start} were "
                f"read but never arrived (chunk {fetched.index} of run {fetched.run} "
                f"came after chunk {self._index} of run {self._run}); restart the "
                "worker, it will read again from the last commit"
            )
        self._run, self._index = fetched.run, fetched.index
        fetched.drop_before(self.expected)
        self.expected = max(self.expected, fetched.end)

    def skip_to(self, offset: int) -> None:
        """Accept that the records before ``offset`` are gone from the log."""
        self.expected = max(self.expected, offset)

    def has_followed(self, run: int, index: int) -> bool:
        """Whether nothing of the run up to ``index`` is still to come."""
        return index < 0 or (run, index) == (self._run, self._index)
