from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.fetched_chunk import Continuity, FetchedChunk
from streams.engine.stage import Chunk
from streams.errors import StateError


def _chunk(run: int, index: int, offsets: list[int], start: int) -> FetchedChunk:
    return FetchedChunk(
        chunk=Chunk(
            offsets,
            [b"%d" % o for o in offsets],
            offsets,
            [b"k%d" % o for o in offsets],
        ),
        headers=[(("h", b"%d" % o),) for o in offsets],
        run=run,
        index=index,
        start=start,
        end=offsets[-1] + 1,
    )


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_every_record_is_seen_once_however_often_reading_starts_again(
    starts: list[int], sizes: list[int]
) -> None:
    log = list(range(80))
    seen: list[int] = []
    continuity = Continuity("log[0]", 0)
    for run, start in enumerate([0, *starts, 0]):
        position = min(start, continuity.expected)
        # The last run goes to the end, the others break off somewhere.
        stop = len(log) if run > len(starts) else position + sum(sizes[:run])
        index = 0
        while position < min(stop, len(log)):
            size = sizes[index % len(sizes)]
            chunk = _chunk(run, index, log[position : position + size], position)
            continuity.follow(chunk)
            seen.extend(chunk.chunk.offsets)
            assert chunk.chunk.values == [b"%d" % o for o in chunk.chunk.offsets]
            assert chunk.chunk.keys == [b"k%d" % o for o in chunk.chunk.offsets]
            assert len(chunk.headers) == len(chunk.chunk.keys)
            position, index = chunk.end, index + 1
    assert seen == log


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_chunk_that_never_arrived_is_noticed_at_the_next(lost: int) -> None:
    chunks = [_chunk(0, i, [2 * i, 2 * i + 1], 2 * i) for i in range(4)]
    continuity = Continuity("log[3]", 0)
    for chunk in chunks[:lost]:
        continuity.follow(chunk)
    with pytest.raises(StateError, match=r"^log\[3\]@"):
        continuity.follow(chunks[lost + 1])


def test_a_run_that_starts_behind_unseen_records_is_refused() -> None:
    continuity = Continuity("log[3]", 100)
    ahead = _chunk(7, 0, [105], 101)
    assert continuity.jumps(ahead)
    with pytest.raises(StateError, match=r"never arrived"):
        continuity.follow(ahead)
    continuity.skip_to(101)
    continuity.follow(ahead)
    assert continuity.expected == 106


def test_offsets_without_records_are_no_hole_within_a_run() -> None:
    continuity = Continuity("log[3]", 0)
    continuity.follow(_chunk(0, 0, [0, 1], 0))
    after_a_transaction = dataclasses.replace(_chunk(0, 1, [5], 2), start=2)
    continuity.follow(after_a_transaction)
    assert continuity.expected == 6
    assert continuity.has_followed(0, 1)
    assert not continuity.has_followed(0, 2)
    assert continuity.has_followed(1, -1)
