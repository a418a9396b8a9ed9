from __future__ import annotations

from collections import Counter
from pathlib import Path

from streams.cli.benchmarks.partitioned import (
    Drive,
    partition_chunks,
    read_records,
    stage_costs,
)
from streams.contracts import iter_datums
from streams.engine.replay import Pipeline, replay

COUNT = 20_000


def test_chunks_hold_all_records_in_the_order_of_their_partitions(
    traffic: Path,
) -> None:
    expected: dict[int, list[bytes]] = {}
    for batch in read_records(traffic, COUNT):
        for value, home in zip(batch.values, batch.partitions, strict=True):
            expected.setdefault(home, []).append(value)
    found: dict[int, list[bytes | None]] = {}
    ends: Counter[int] = Counter()
    for home, chunk in partition_chunks(traffic, COUNT):
        assert 0 < len(chunk.values) <= 1000
        assert list(chunk.offsets) == [ends[home] + n for n in range(len(chunk.values))]
        ends[home] += len(chunk.values)
        found.setdefault(home, []).extend(chunk.values)
    assert found == expected


def test_the_drive_publishes_what_a_replay_does(traffic: Path) -> None:
    drive = Drive()
    assert drive.run(partition_chunks(traffic)) == 60_000
    drive.published += len(drive.pipeline.close())
    assert (
        drive.published == sum(1 for _ in replay(iter_datums(traffic), Pipeline())) > 0
    )


def test_every_stage_has_a_cost(traffic: Path) -> None:
    steps = iter(range(1 << 30))
    costs = stage_costs(partition_chunks(traffic, COUNT), lambda: float(next(steps)))
    assert min(costs) > 0
