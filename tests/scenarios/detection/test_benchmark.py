"""The benchmark runs the parts it is asked for, each as large as its plan says."""

from __future__ import annotations

from streams.scenarios.detection.benchmark import _PARTS, benchmark
from streams.scenarios.detection.plan import PARTS, QUICK
from streams.scenarios.detection.report import Report
from streams.scenarios.detection.source import Source


def test_every_part_is_one_that_can_be_run() -> None:
    assert tuple(_PARTS) == PARTS


def test_only_the_parts_asked_for_are_in_the_report(source: Source) -> None:
    plan = QUICK._replace(populations=1, benign_ordinary=10, benign_hours=3.0)
    told: set[str] = set()
    report = benchmark(
        source,
        plan,
        seed=2,
        parts=("budget",),
        progress=lambda step, _done, _total: told.add(step),
    )
    assert report.budget is not None
    assert report.budget.populations == 1
    assert len(told) == 1
    assert report == Report(2, plan, budget=report.budget)
