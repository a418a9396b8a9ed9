"""One worker and two, and a queueing model checked against both points."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from streams.cli.benchmarks.loader import load
from streams.cli.benchmarks.partitioned import partition_chunks, stage_costs
from streams.cli.benchmarks.pipeline_run import PipelineRun, run_backlog
from streams.cli.benchmarks.queueing import Demands, Deployment, plan, predict
from streams.cli.benchmarks.stand import Stand
from streams.cli.benchmarks.traffic import last_minute
from streams.contracts import load_topics

__all__ = ["ADVICE", "ScalingResult", "measure_scaling"]

TARGETS: Final = (10_000, 100_000, 300_000, 1_000_000)
_WORKERS: Final = (1, 2)
_MILLION: Final = 1_000_000
_COST_EVENTS: Final = 200_000  # for the split of the worker's time between stages

ADVICE: Final = {
    "workers": "start more workers, up to the number of partitions",
    "machine": "give the broker and the workers machines of their own",
    "broker": "add brokers: llm.requests is spread over them by partition",
    "hottest partition": "split the largest accounts by api_key_id at the gateway: one "
    "account's requests go to one partition",
    "campaigns stage": "raise the local gate of the accounts stage, or shard llm.links "
    "by scenario: the stage links across everything in one process",
}


class ScalingResult(NamedTuple):
    """Runs by number of workers, what they cost, and what the model makes of it.

    All counts until the last stage has published what came of the events: the later
    stages may lag behind the first, and their work belongs to it.
    """

    runs: dict[int, list[PipelineRun]]
    loader_seconds_per_event: float
    demands: Demands
    flush_interval: float

    def rate(self, workers: int) -> float:
        """Give the median events per second of so many workers."""
        return median(run.published.rate for run in self.runs[workers])

    def as_json(self) -> dict[str, Any]:
        """Give measured and predicted rates, shares of the machine, and the plans."""
        cores = os.cpu_count() or 1
        partitions = load_topics()["llm.requests"].partitions
        points = {}
        for workers, runs in self.runs.items():
            one = min(runs, key=lambda r: abs(r.published.rate - self.rate(workers)))
            m = one.published
            at = Deployment(workers, partitions, cores, cores, self.flush_interval)
            model = predict(self.demands, at)
            points[str(workers)] = {
                "events_per_second": self.rate(workers),
                "cpu_seconds_per_million": m.cpu_seconds * _MILLION / m.events,
                "broker_cpu_seconds_per_million": m.broker_seconds
                * _MILLION
                / m.events,
                "share_of_machine": {
                    "workers": m.cpu_seconds / m.seconds / cores,
                    "broker": m.broker_seconds / m.seconds / cores,
                },
                "predicted": model.capacity,
                "predicted_bottleneck": model.bottleneck,
                "advice": ADVICE[model.bottleneck],
                "model_error": model.capacity / self.rate(workers) - 1,
            }
        return {
            "cores": cores,
            "workers": points,
            "two_over_one": self.rate(2) / self.rate(1),
            "loader_cpu_seconds_per_million": self.loader_seconds_per_event * _MILLION,
            "demands_us": {
                name: round(value * 1e6, 3)
                for name, value in self.demands._asdict().items()
                if name != "hottest_share"
            },
            "hottest_share": self.demands.hottest_share,
            "plans": [plan(self.demands, x, self.flush_interval) for x in TARGETS],
            "advice": ADVICE,
        }


def measure_scaling(
    stand: Stand,
    traffic: Path,
    *,
    rounds: int,
    step: Callable[[str], object] = lambda _title: None,
) -> ScalingResult:
    """Let one worker and two process the traffic in turn, on all cores."""
    step("loading the broker")
    began = time.process_time()
    events = load(stand.bootstrap, traffic)
    loader = (time.process_time() - began) / events
    runs: dict[int, list[PipelineRun]] = {count: [] for count in _WORKERS}
    for turn in range(rounds):
        for count in _WORKERS if turn % 2 == 0 else reversed(_WORKERS):
            step(f"{count} worker{'s' * (count > 1)}")
            stand.clear(keep_requests=True)
            config = stand.config("scaling")
            minute = last_minute(traffic)
            run = run_backlog(stand, config, count, last_minute=minute, bound=False)
            runs[count].append(run)
    step("the stages alone")
    chunks = partition_chunks(traffic, _COST_EVENTS)
    costs = stage_costs(chunks)
    with stand.offsets(stand.config("scaling")) as offsets:
        ends = np.array(offsets.ends(), np.float64)
    demands = _demands(runs[1], costs, float(ends.max() / ends.sum()))
    return ScalingResult(runs, loader, demands, stand.config("scaling").flush_interval)


def _demands(runs: list[PipelineRun], costs: Any, hottest: float) -> Demands:
    """Take the worker's own processor time, split as the stages alone split theirs.

    The time in which it stands still is taken from the same runs of one worker, so
    that point of the model is met by construction; two workers are its test.
    """
    worker = median(run.published.cpu_seconds / run.published.events for run in runs)
    broker = median(run.published.broker_seconds / run.published.events for run in runs)
    seconds = median(run.published.seconds / run.published.events for run in runs)
    later = costs.facets + costs.campaigns
    return Demands(
        accounts=max(worker - later, 0.0),
        facets=costs.facets,
        campaigns=costs.campaigns,
        broker=broker,
        hottest_share=hottest,
        waiting=max(seconds - worker, 0.0),
    )
