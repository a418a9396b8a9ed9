from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cli.benchmarks.queueing import Demands, Deployment, plan, predict

demand = st.floats(1e-7, 1e-3)
demands = st.builds(
    Demands, demand, demand, demand, demand, st.floats(0.001, 1.0), demand
)


def _alone(workers: int, *, cores: float = 0) -> Deployment:
    return Deployment(workers, 64, 64, cores, 0.5)


@given(demands, st.integers(1, 63))
def test_another_worker_never_lowers_the_capacity(d: Demands, workers: int) -> None:
    fewer, more = predict(d, _alone(workers)), predict(d, _alone(workers + 1))
    assert more.capacity >= fewer.capacity
    assert more.capacity <= fewer.capacity * (workers + 1) / workers * (1 + 1e-9)


@given(demands, st.integers(1, 64))
def test_the_latency_is_finite_exactly_below_the_capacity(d: Demands, n: int) -> None:
    capacity = predict(d, _alone(n)).capacity
    assert math.isinf(predict(d, _alone(n), capacity * 1.001).latency)
    # A worker that stands still in a backlog is not busy, so there is room to 1/D.
    assert math.isfinite(
        predict(d._replace(waiting=0), _alone(n), capacity * 0.9).latency
    )


def test_a_single_server_has_the_residence_time_of_mm1() -> None:
    d = Demands(1e-3, 0, 0, 0, 0)
    at = Deployment(1, 8, 1, 0, flush_interval=0)
    # M/M/1 at rho = 1/2: twice the service time.
    assert predict(d, at, 500.0).latency == pytest.approx(2e-3)


def test_one_shared_machine_bounds_workers_and_broker_together() -> None:
    d = Demands(10e-6, 0, 1e-9, 10e-6, 0.1)
    found = predict(d, _alone(4, cores=2))
    assert found.bottleneck == "machine"
    assert found.capacity == pytest.approx(100_000, rel=1e-3)


def test_more_workers_than_partitions_do_not_help() -> None:
    d = Demands(10e-6, 0, 1e-9, 1e-9, 0.01)
    eight = predict(d, Deployment(8, 8, 8, 0, 0.5))
    assert predict(d, Deployment(80, 8, 8, 0, 0.5)).capacity == eight.capacity


@given(demands, st.floats(1.0, 1e6))
def test_a_plan_has_room_wherever_things_can_be_added(d: Demands, rate: float) -> None:
    needs = plan(d, rate, 0.5)
    assert rate * d.worker / needs["workers"] <= 0.7 + 1e-9
    assert rate * d.broker / needs["broker_cores"] <= 0.7 + 1e-9
    assert needs["partitions"] >= needs["workers"]
    fixed = max(rate * d.campaigns, rate * d.accounts * d.hottest_share)
    assert (needs["first_bottleneck"] == "none: add workers") == (fixed <= 0.7)
