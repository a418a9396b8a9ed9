"""The reporter and the plain producers send all events, and are told side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli.benchmarks.producers import measure_producers, traffic_events
from streams.cli.benchmarks.show_producers import reporter_table
from streams.cli.benchmarks.stand import REQUESTS, Stand


@pytest.mark.broker
def test_each_contestant_sends_all_events_in_each_round(
    stand: Stand, traffic: Path
) -> None:
    events = traffic_events(traffic, 700)
    assert len(events) == 700
    with stand.offsets(stand.config("producers")) as offsets:
        before = sum(offsets.ends(REQUESTS))
        result = measure_producers(stand.bootstrap, events, rounds=2)
        # One event more each time, so that the connection stands.
        assert sum(offsets.ends(REQUESTS)) - before == 2 * 3 * 701
    told = result.as_json()
    assert told["events"] == 700
    assert told["rounds"] == 2
    for name in ("reporter", "confluent_fastavro", "confluent_encoded"):
        assert min(told[name].values()) > 0
    ours, peer = told["reporter"], told["confluent_fastavro"]
    ratio = ours["events_per_second"] / peer["events_per_second"]
    assert told["over"]["confluent_fastavro"] == pytest.approx(ratio)
    assert told["targets"] == {"events_per_second": 100_000, "call_us": 5}
    assert reporter_table(result).row_count == 4
