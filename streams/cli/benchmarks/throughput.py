"""All contestants in turn, round after round, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import msgspec

from streams.cli.benchmarks.contestant import CONTESTANTS, missing
from streams.cli.benchmarks.loader import load
from streams.cli.benchmarks.measured import Measured, Task
from streams.cli.benchmarks.pipeline_run import run_backlog
from streams.cli.benchmarks.stand import Stand
from streams.cli.benchmarks.traffic import Size, last_minute
from streams.errors import BusError

__all__ = ["OURS", "PEERS", "PIPELINE", "Throughput", "measure_throughput"]

PIPELINE: Final = "pipeline"
OURS: Final = (PIPELINE, "decode_engine", "engine")
PEERS: Final = tuple(name for name in CONTESTANTS if name not in OURS)
_MODULE: Final = "streams.cli.benchmarks.contestant"
_GRACE: Final = 60.0  # s to start and to end; a stuck peer must not stay for ever
_OUR_SECONDS: Final = 300.0
_PEER_SECONDS: Final = 10.0
_QUICK_SECONDS: Final = 2.0
_MILLION: Final = 1_000_000
_LOG_LINES: Final = 12

Step = Callable[[str], object]


class Throughput(NamedTuple):
    """What all rounds measured, by contestant; a peer not installed has no rounds."""

    size: Size
    rounds: Mapping[str, list[Measured]]

    def rate(self, name: str) -> float | None:
        """Give the median of a contestant's events per second."""
        found = self.rounds.get(name)
        return median(one.rate for one in found) if found else None

    def published_rate(self) -> float | None:
        """Give the pipeline's rate when the clock runs on until all is published.

        Lower than ``pipeline`` by what the later stages still had to do when the
        requests were committed; a backlog of theirs shows here.
        """
        found = self.rounds.get(PIPELINE)
        if not found:
            return None
        return median(
            one.events / (one.seconds + one.details["drain_seconds"]) for one in found
        )

    def as_json(self) -> dict[str, Any]:
        """Give rates by name as documented in the README, and more beside them."""
        ran = {name: found for name, found in self.rounds.items() if found}
        pipeline = self.rate(PIPELINE)

        def each(value: Callable[[Measured], float]) -> dict[str, float]:
            return {n: median(value(one) for one in found) for n, found in ran.items()}

        return {
            "events": self.size.events,
            "accounts": self.size.accounts,
            "rounds": max(map(len, ran.values())),
            **{name: self.rate(name) for name in OURS if name in self.rounds},
            "peers": {name: self.rate(name) for name in PEERS if name in self.rounds},
            "pipeline_over": {
                name: pipeline / rate
                for name in ran
                if pipeline and (rate := self.rate(name))
            },
            "spread": {
                name: [f(one.rate for one in found) for f in (min, max)]
                for name, found in ran.items()
            },
            "events_measured": each(lambda one: one.events),
            "events_per_core_second": each(lambda one: one.core_rate),
            "cpu_seconds_per_million": each(lambda one: _MILLION / one.core_rate),
            "broker_cpu_seconds_per_million": each(
                lambda one: one.broker_seconds * _MILLION / one.events
            ),
            "between_stages": self._detail("decode_engine"),
            "pipeline_published": self.published_rate(),
            "drain_seconds": self._detail(PIPELINE).get("drain_seconds"),
        }

    def _detail(self, name: str) -> dict[str, float]:
        found = self.rounds.get(name)
        return dict(found[-1].details) if found else {}


def measure_throughput(
    stand: Stand,
    traffic: Path,
    size: Size,
    names: Sequence[str],
    *,
    rounds: int,
    quick: bool,
    step: Step = lambda _name: None,
) -> Throughput:
    """Let the named contestants run ``rounds`` times in turn, in another order each.

    ``step`` is told the title of what begins.
    """
    step("loading the broker")
    load(stand.bootstrap, traffic)
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            if name != PIPELINE and missing(name):
                continue
            step(name if name == PIPELINE else CONTESTANTS[name].title)
            if name == PIPELINE:
                one = _pipeline(stand, traffic)
            else:
                one = _contestant(stand, traffic, size, name, quick=quick)
            measured[name].append(one)
    return Throughput(size, measured)


def _pipeline(stand: Stand, traffic: Path) -> Measured:
    stand.clear(keep_requests=True)
    run = run_backlog(stand, stand.config(PIPELINE), last_minute=last_minute(traffic))
    details = {"drain_seconds": run.drain_seconds}
    return msgspec.structs.replace(run.measured, details=details)


def _contestant(
    stand: Stand, traffic: Path, size: Size, name: str, *, quick: bool
) -> Measured:
    run_id = stand.run_id(name)
    folder = stand.folder / run_id
    folder.mkdir()
    seconds = _QUICK_SECONDS if quick else _PEER_SECONDS
    if name in OURS:
        seconds = _OUR_SECONDS
    task = Task(
        contestant=name,
        traffic=str(traffic),
        bootstrap=stand.bootstrap,
        broker_pid=stand.broker_pid,
        run_id=run_id,
        folder=str(folder),
        limit=size.events - (name in PEERS),  # their first record starts the clock
        seconds=seconds,
    )
    try:
        done = subprocess.run(  # noqa: S603  our own command line
            [sys.executable, "-m", _MODULE],
            input=msgspec.json.encode(task),
            capture_output=True,
            timeout=seconds + _GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BusError(f"{name} did not end by itself") from None
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").splitlines()[-_LOG_LINES:]
        raise BusError(f"{name} ended with {done.returncode}:\n" + "\n".join(told))
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Measured)
