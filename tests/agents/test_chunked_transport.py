from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.app import make_app
from streams.agents.chunked_transport import ChunkedConsumer, _in_turn
from streams.agents.fetched_chunk import FetchedChunk
from streams.config import Config
from streams.engine.stage import Chunk

IN = TP("in", 0)
GENERATION = 4


def _chunks(sizes: list[int], steps: list[int], begin: int) -> list[FetchedChunk]:
    """Make consecutive chunks; a step above 1 leaves offsets out."""
    chunks: list[FetchedChunk] = []
    end, count = begin, 0
    for index, size in enumerate(sizes):
        start, offsets = end, []
        for _ in range(size):
            offsets.append(end + steps[count % len(steps)] - 1)
            end, count = offsets[-1] + 1, count + 1
        chunks.append(
            FetchedChunk(
                chunk=Chunk(offsets, [b""] * size, [0] * size, [None] * size),
                headers=[()] * size,
                run=0,
                index=index,
                start=start,
                end=end,
            )
        )
    return chunks


@pytest.fixture(scope="module")
def idle_consumer() -> Iterator[ChunkedConsumer]:
    """Make a consumer that is never started: no broker has a part in this."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = make_app(Config(), [])
    app.consumer_generation_id = GENERATION
    app.topics._acking_topics.add(IN.topic)  # type: ignore[attr-defined]
    consumer: Any = app.consumer
    yield consumer
    consumer._thread.thread_loop.close()
    asyncio.set_event_loop(None)
    loop.close()


def _fresh(consumer: ChunkedConsumer) -> ChunkedConsumer:
    """Forget the partition, as at a rebalance."""
    for memory in (
        consumer._acked,
        consumer._committed_offset,
        consumer._acknowledged_end,
    ):
        memory.pop(IN, None)
    return consumer


def _committable(consumer: ChunkedConsumer) -> int | None:
    """Ask how far Faust would commit, and let it have done so."""
    offset = consumer._filter_committable_offsets([IN]).get(IN)
    if offset is not None:
        consumer._committed_offset[IN] = offset
    return offset


SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=12)
BEGIN = st.tuples(st.integers(0, 50), st.booleans())
STEPS = st.lists(st.integers(1, 4), min_size=1, max_size=5)


@given(SIZES, STEPS, BEGIN, st.lists(st.booleans()))
def test_each_acknowledged_chunk_may_be_committed_and_not_one_offset_more(
    idle_consumer: ChunkedConsumer,
    sizes: list[int],
    steps: list[int],
    where: tuple[int, bool],
    pauses: list[bool],
) -> None:
    consumer = _fresh(idle_consumer)
    begin, committed_before = where
    if committed_before and begin:
        consumer._committed_offset[IN] = begin
    for i, chunk in enumerate(_chunks(sizes, steps, begin)):
        message = consumer._to_message(IN, chunk)
        chunk.applied = True
        assert consumer.ack(message)
        if i < len(pauses) and pauses[i]:
            assert _committable(consumer) == chunk.end
    _committable(consumer)
    assert consumer._committed_offset[IN] == chunk.end
    assert _committable(consumer) is None


@given(SIZES, STEPS, st.integers(0, 50), st.booleans())
def test_chunks_read_again_and_cut_otherwise_change_nothing(
    idle_consumer: ChunkedConsumer,
    sizes: list[int],
    steps: list[int],
    begin: int,
    committed_between: bool,
) -> None:
    consumer = _fresh(idle_consumer)
    first = _chunks(sizes, steps, begin)
    for chunk in first:
        chunk.applied = True
        consumer.ack(consumer._to_message(IN, chunk))
    if committed_between:
        _committable(consumer)
    for chunk in _chunks([1] * sum(sizes), steps, begin):
        chunk.applied = True
        consumer.ack(consumer._to_message(IN, chunk))
    _committable(consumer)
    assert consumer._committed_offset[IN] == first[-1].end


def test_what_faust_skips_in_a_rebalance_is_not_acknowledged(
    idle_consumer: ChunkedConsumer,
) -> None:
    consumer = _fresh(idle_consumer)
    skipped, stale = _chunks([5, 5], [1], 0)
    assert not consumer.ack(consumer._to_message(IN, skipped))
    message = consumer._to_message(IN, stale)
    message.generation_id = GENERATION - 1
    stale.applied = True
    assert not consumer.ack(message)
    assert _committable(consumer) is None


def test_what_is_little_is_handed_over_first() -> None:
    fetched = {
        TP("requests", 0): _chunks([1000, 1000], [1], 0),
        TP("requests", 1): _chunks([1000, 500], [1], 0),
        TP("facets", 2): _chunks([3], [1], 7),
    }
    order = [(tp.topic, chunk.start) for tp, chunk in _in_turn(fetched)]
    assert order[0] == ("facets", 7)
    assert [topic for topic, _ in order[1:]] == ["requests"] * 4
