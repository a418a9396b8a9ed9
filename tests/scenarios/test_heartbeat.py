from __future__ import annotations

import pytest

from streams.config import Config
from streams.contracts import Decision, decode_record, encode_record
from streams.engine.murmur2 import partition_of
from streams.engine.replay import Pipeline, ScheduledEntry
from streams.policy.control_entries import allowlist_entry
from streams.scenarios.heartbeat import HEARTBEAT_CLIENT, heartbeat_events

NOW = 1_770_000_000_000 + 17_000
PARTITIONS = 8
ENTRY = allowlist_entry(
    f"facet:client:{HEARTBEAT_CLIENT}",
    author="heartbeat",
    reason="tests",
    created_at=NOW,
    heartbeat=True,
)


@pytest.mark.parametrize("run", ["a", "b", "2026-11-23T03:00"])
def test_the_shipped_pipeline_finds_it_and_does_nothing_to_it(run: str) -> None:
    campaign, closing = heartbeat_events(run, NOW, partitions=PARTITIONS)
    pipeline = Pipeline(Config(mode="enforce"))
    pipeline.schedule([ScheduledEntry(-1, ENTRY.entry_id, encode_record(ENTRY))])
    pipeline.feed([encode_record(each) for each in campaign])
    assert not any(o.topic == "llm.actions" for o in pipeline.flush())
    pipeline.feed([encode_record(each) for each in closing])
    outputs = pipeline.flush()  # nobody waits for an idle partition
    assert not [each for each in outputs if each.topic == "llm.actions"]
    decisions = [
        decode_record(Decision, each.value or b"")
        for each in outputs
        if each.topic == "llm.decisions"
    ]
    withheld = {each.subject for each in decisions if each.kind == "withheld"}
    assert withheld == {f"account:{each.account_id}" for each in campaign}
    # What a heartbeat costs: one test of the day's budget.
    assert [each.kind for each in decisions].count("tested") == 1


def test_each_heartbeat_is_found_for_itself_and_costs_one_test() -> None:
    pipeline = Pipeline(Config(mode="enforce"))
    pipeline.schedule([ScheduledEntry(-1, ENTRY.entry_id, encode_record(ENTRY))])
    for number in range(24):
        now = NOW + number * 3_600_000
        campaign, closing = heartbeat_events(f"{number}", now, partitions=PARTITIONS)
        pipeline.feed([encode_record(each) for each in [*campaign, *closing]])
        kinds = [
            decode_record(Decision, each.value or b"").kind
            for each in pipeline.flush()
            if each.topic == "llm.decisions"
        ]
        assert kinds.count("withheld") == 16
        assert kinds.count("tested") == 1


def test_no_event_is_ahead_of_time_and_every_partition_is_closed() -> None:
    campaign, closing = heartbeat_events("a", NOW, partitions=PARTITIONS)
    minute = NOW // 60_000
    assert {each.occurred_at // 60_000 for each in campaign} == {minute - 1}
    assert {each.occurred_at // 60_000 for each in closing} == {minute}
    assert max(each.occurred_at for each in closing) <= NOW
    parts = {partition_of(each.account_id, PARTITIONS) for each in closing}
    assert parts == set(range(PARTITIONS))
