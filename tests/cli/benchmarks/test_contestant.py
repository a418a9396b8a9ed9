from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from streams.cli.benchmarks.contestant import CONTESTANTS
from streams.cli.benchmarks.latency import measure_latency
from streams.cli.benchmarks.loader import load
from streams.cli.benchmarks.recovery import QUICK_ACCOUNTS, measure_recovery
from streams.cli.benchmarks.scaling import measure_scaling
from streams.cli.benchmarks.stand import Stand
from streams.cli.benchmarks.throughput import (
    OURS,
    PEERS,
    PIPELINE,
    measure_throughput,
)
from streams.cli.benchmarks.traffic import QUICK


def test_every_contestant_has_a_rate_or_is_not_installed(
    stand: Stand, traffic: Path
) -> None:
    stand.clear(keep_requests=False)
    names = (*OURS, "faust_noop", "quix_noop", "confluent_fastavro")
    result = measure_throughput(stand, traffic, QUICK, names, rounds=1, quick=True)
    told = result.as_json()
    assert told["pipeline"] > told["pipeline_published"] > 0
    assert told["engine"] > told["decode_engine"] * 0.5 > 0
    assert set(PEERS) == {
        "faust_noop", "faust_engine", "quix_noop", "quix_counter", "quix_engine",
        "confluent_fastavro",
    }  # fmt: skip
    for name, rate in told["peers"].items():
        needs = CONTESTANTS[name].needs
        installed = not needs or PathFinder.find_spec(needs) is not None
        assert (rate is not None) == installed, name
    measured = result.rounds[PIPELINE][0]
    # All but the last chunk of each partition, which holds the open minute.
    assert QUICK.events - 8 * 1000 <= measured.events <= QUICK.events
    assert measured.cpu_seconds > 0 < measured.broker_seconds
    assert told["between_stages"]["bytes_per_event"] > 0


def test_latency_counts_actions_at_every_load(stand: Stand, traffic: Path) -> None:
    stand.clear(keep_requests=False)
    result = measure_latency(stand, traffic)
    assert [one.load for one in result.loads] == [0.1, 0.5, 0.8]
    for one in (*result.loads, result.low_latency):
        assert one.actions > 0
        assert 0 < one.p50_ms <= one.p99_ms <= one.p99_9_ms
        assert one.minute_wait_s >= 0
    assert result.low_latency.flush_interval_s < result.loads[1].flush_interval_s


def test_recovery_restores_all_accounts_and_goes_on(stand: Stand) -> None:
    result = measure_recovery(stand, QUICK_ACCOUNTS, calm=2.0)
    assert int(result.rows.split()[0].replace(",", "")) >= QUICK_ACCOUNTS
    assert 0 < result.ready_s <= result.seconds_1m
    # The group is told of the death; its session need not end first.
    assert result.after_kill_s > 0
    pauses = (result.kept_pause_s, result.moved_pause_s)
    assert result.rebalance_pause_s == max(pauses) >= min(pauses) > 0


def test_scaling_measures_both_points_and_plans(stand: Stand, traffic: Path) -> None:
    stand.clear(keep_requests=False)
    told = measure_scaling(stand, traffic, rounds=1).as_json()
    assert set(told["workers"]) == {"1", "2"}
    for point in told["workers"].values():
        assert point["events_per_second"] > 0
        assert point["cpu_seconds_per_million"] > 0
        assert point["predicted"] > 0
    # One worker is what the model was made from; the machine may bound it, too.
    assert told["workers"]["1"]["model_error"] == pytest.approx(0, abs=0.01)
    assert all(demand >= 0 for demand in told["demands_us"].values())
    assert told["plans"][-1]["events_per_second"] == 1_000_000


def test_a_cleared_stand_has_empty_topics(stand: Stand, traffic: Path) -> None:
    stand.clear(keep_requests=False)
    config = stand.config("empty")
    with stand.offsets(config) as offsets:
        assert sum(offsets.ends()) == 0
        assert load(stand.bootstrap, traffic, limit=1_000) == 1_000
        assert sum(offsets.ends()) == 1_000
        assert offsets.committed() == [0] * 8
