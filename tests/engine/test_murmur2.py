"""The partitioner is Kafka's own."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.murmur2 import _murmur2, partition_of


@given(st.binary(max_size=40))
def test_hash_is_that_of_aiokafka(data: bytes) -> None:
    assert _murmur2(data) == murmur2(data) & 0xFFFFFFFF


@given(st.text(max_size=20), st.integers(1, 300))
def test_partition_is_that_of_aiokafka(key: str, partitions: int) -> None:
    numbers = list(range(partitions))
    expected = DefaultPartitioner()(key.encode(), numbers, numbers)
    assert partition_of(key, partitions) == expected
