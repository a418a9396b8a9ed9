"""The traffic as a worker's partitions deliver it, and a drive of the engine over it.

The engine gets what the agents would give it: chunks of at most 1,000 consecutive
records of one partition, in turn from all partitions, and a flush of all stages after
50,000 events, which is half a second at 100,000 events a second. There is no changelog
and no broker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from streams.config import Config
from streams.contracts import decode_chunk, iter_datums, load_topics
from streams.engine.murmur2 import partition_of
from streams.engine.replay import Pipeline
from streams.engine.stage import Chunk

__all__ = [
    "Drive",
    "Records",
    "StageCosts",
    "cut",
    "partition_chunks",
    "read_records",
    "stage_costs",
]

FLUSH_EVENTS: Final = 50_000
_BATCH: Final = 20_000


class Records(NamedTuple):
    """Consecutive records of the traffic; ``timestamps`` are event time in ms."""

    values: list[bytes]
    keys: list[str]
    partitions: list[int]
    timestamps: list[int]


def cut(records: Records, start: int, end: int) -> Records:
    """Take the records from ``start`` up to, not including, ``end``.

    >>> cut(Records([b"a", b"b"], ["1", "2"], [0, 3], [5, 6]), 1, 2)
    Records(values=[b'b'], keys=['2'], partitions=[3], timestamps=[6])
    """
    values, keys, partitions, times = (column[start:end] for column in records)
    return Records(values, keys, partitions, times)  # type: ignore[arg-type]  # in order


def read_records(file: Path, limit: int | None = None) -> Iterator[Records]:
    """Read a container in batches, each record with its key and partition."""
    count = load_topics()["llm.requests"].partitions
    home: dict[str, int] = {}
    datums = islice(iter_datums(file), limit)
    while values := list(islice(datums, _BATCH)):
        frame = decode_chunk("RequestEvent", values).frame
        keys = frame["account_id"].to_list()
        for key in set(keys) - home.keys():
            home[key] = partition_of(key, count)
        partitions = [home[key] for key in keys]
        yield Records(values, keys, partitions, frame["occurred_at"].to_list())


def partition_chunks(file: Path, limit: int | None = None) -> list[tuple[int, Chunk]]:
    """Cut the traffic into chunks, in turn by partition; give each with its partition.

    Kafka's timestamps are the event's own: a replay of what was live once.
    """
    partitions = load_topics()["llm.requests"].partitions
    values: list[list[bytes]] = [[] for _ in range(partitions)]
    times: list[list[int]] = [[] for _ in range(partitions)]
    for batch in read_records(file, limit):
        for value, home, at in zip(
            batch.values, batch.partitions, batch.timestamps, strict=True
        ):
            values[home].append(value)
            times[home].append(at)
    size = Config().chunk_records
    chunks = []
    for start in range(0, max(map(len, values)), size):
        for home in range(partitions):
            part = values[home][start : start + size]
            if part:
                stamps = times[home][start : start + size]
                offsets = range(start, start + len(part))
                chunks.append((home, Chunk(offsets, part, stamps)))
    return chunks


class Drive:
    """All stages in memory, fed with chunks.

    ``taking`` is the time that the accounts stage took for chunks, ``flushing`` that of
    each stage's closed minutes, in seconds.
    """

    def __init__(self) -> None:
        self.pipeline = Pipeline()
        self.published = 0
        self._accounts = self.pipeline.stages["llm.requests"]
        self._waiting = 0

    def take(self, partition: int, chunk: Chunk) -> None:
        """Give a chunk to its partition; flush when that is due."""
        self._accounts[partition].take(chunk)
        self._waiting += len(chunk.offsets)
        if self._waiting >= FLUSH_EVENTS:
            self.flush()

    def flush(self) -> None:
        """Run all stages over their closed minutes."""
        self._waiting = 0
        self.published += len(self.pipeline.flush())

    def run(self, chunks: list[tuple[int, Chunk]]) -> int:
        """Give all chunks, flush; return the number of records."""
        for partition, chunk in chunks:
            self.take(partition, chunk)
        self.flush()
        return sum(len(chunk.offsets) for _, chunk in chunks)


class StageCosts(NamedTuple):
    """Processor time per event that came in, by stage, in seconds."""

    accounts: float
    facets: float
    campaigns: float


def stage_costs(
    chunks: list[tuple[int, Chunk]],
    clock: Callable[[], float] = time.process_time,
) -> StageCosts:
    """Run the engine over the chunks and tell what each stage took, per event."""
    drive = Drive()
    spent = dict.fromkeys(drive.pipeline.stages, 0.0)

    def timed(topic: str, call: Callable[..., object]) -> Callable[..., object]:
        def measured(*arguments: object) -> object:
            began = clock()
            result = call(*arguments)
            spent[topic] += clock() - began
            return result

        return measured

    for topic, stages in drive.pipeline.stages.items():
        for stage in stages:
            for name in ("take", "advance", "dirty_rows"):
                setattr(stage, name, timed(topic, getattr(stage, name)))
    events = drive.run(chunks)
    accounts, facets = spent.pop("llm.requests"), spent.pop("llm.facets")
    # What is left runs in the process of the campaigns stage, control entries included.
    campaigns = sum(spent.values())
    return StageCosts(accounts / events, facets / events, campaigns / events)
