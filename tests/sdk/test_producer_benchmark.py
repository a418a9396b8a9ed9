from __future__ import annotations

import pytest

from streams.errors import ConfigError
from streams.sdk.producer_benchmark import measure_reporter, measure_sketch

EVENTS = [{"account_id": f"a-{n}", "request_model": "m"} for n in range(500)]


@pytest.mark.broker
def test_all_events_arrive_and_are_accounted_for(topics: str) -> None:
    cost = measure_reporter(topics, EVENTS)
    assert cost.events_per_second > 0
    assert cost.call_us > 0
    assert cost.cpu_us > 0


def test_prompts_are_sketched_in_pieces() -> None:
    cost = measure_sketch(["Think step by step. " * 30] * 5, rounds=2)
    assert cost.many_us > 0
    assert cost.one_us > 0


def test_too_few_prompts_are_told() -> None:
    with pytest.raises(ConfigError, match="less than 1000 characters"):
        measure_sketch(["short"])
