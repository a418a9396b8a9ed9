"""A scenario that takes a second, and whose campaign is as plain as can be."""

from __future__ import annotations

from pathlib import Path

from streams.scenarios.scenario import load
from streams.scenarios.simulate import simulate

__all__ = ["simulate_tiny"]

SCENARIO = """
name = "tiny"
description = "A few people and a campaign that is as plain as can be."
start = 2026-03-02T00:00:00Z
duration_hours = 8
[models]
m = 1
[[cohort]]
name = "people"
accounts = 200
requests_per_day = 6
[[campaign]]
name = "graders"
shape = "rubric"
accounts = 40
requests_per_day = [120, 160]
roles = ["campaign-rubric"]
pace = "lockstep"
burst_minutes = 20
age_days = [0.5, 2]
created_together = 40
[campaign.templates]
count = 1
wrap = ["both"]
[campaign.facets]
networks = 4
clients = 1
payments = 4
"""


def simulate_tiny(folder: Path) -> None:
    """Write events.avro and truth of the scenario into a folder."""
    (folder / "tiny.toml").write_text(SCENARIO, encoding="utf-8")
    simulate(load(str(folder / "tiny.toml")), folder)
