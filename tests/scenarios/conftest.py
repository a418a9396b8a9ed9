"""A small scenario with one of everything, and its simulated folder."""

from __future__ import annotations

from pathlib import Path

import pytest

SMALL = """
name = "small"
description = "One of everything."
start = 2026-03-02T00:00:00Z
duration_hours = 30
seed = 5

[models]
"old" = 2
"other" = 1

[[release]]
model = "new"
hour = 12
adoption = 0.5
rush = 3.0

[[pool]]
name = "proxy"
networks = 6
rotate = true

[[cohort]]
name = "people"
accounts = 120
requests_per_day = 5

[[cohort]]
name = "proxied"
accounts = 30
requests_per_day = 6
network = "proxy"

[[cohort]]
name = "company"
accounts = 20
requests_per_day = 8
network = "one"
payment = "one"
organization = "one"

[[cohort]]
name = "bulk"
behaviour = "bulk"
accounts = 6
groups = 2
requests_per_day = 40
roles = ["legit-bulk"]
client = "sdk"
organization = "one"
template = "group"

[[cohort]]
name = "agents"
behaviour = "agentic"
accounts = 5
requests_per_day = 40
roles = ["legit-bulk-tooluse", "legit-bulk"]
client = "sdk"
organization = "own"

[[cohort]]
name = "harness"
behaviour = "harness"
accounts = 6
groups = 1
requests_per_day = 60
roles = ["legit-bulk"]
client = "sdk"
items = 20
spread = 0.2

[[cohort]]
name = "class"
behaviour = "classroom"
accounts = 15
requests_per_day = 4
network = "one"
payment = "none"
age_days = [0.5, 2]

[[cohort]]
name = "app"
behaviour = "app"
accounts = 15
requests_per_day = 6
client = "one"
template = "group"

[[campaign]]
name = "graders"
shape = "rubric"
accounts = 12
requests_per_day = [60, 80]
roles = ["campaign-rubric"]
pace = "lockstep"
burst_minutes = 30
age_days = [1, 3]
created_together = 6
model = "old"
pivot = { hour = 12, model = "new", share = 0.5, within_hours = 6 }
[campaign.templates]
count = 2
[campaign.facets]
networks = 3
payments = 1

[[campaign]]
name = "heads"
shape = "reasoning"
accounts = 10
requests_per_day = [40, 60]
roles = ["campaign-cot"]
mix_share = 0.5
pace = "diurnal"
replacement = { after_hours = [6, 9], lead_hours = 2 }
[campaign.templates]
count = 3
wrap = ["suffix", "prefix"]
word_drop = 0.05
random_prefix = 0.3
[campaign.facets]
pool = "proxy"
clients = 2
"""


@pytest.fixture(scope="session")
def small_toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_run(small_toml: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the events and the truth of the small scenario."""
    from streams.scenarios.scenario import load
    from streams.scenarios.simulate import simulate

    folder = tmp_path_factory.mktemp("run")
    simulate(load(str(small_toml)), folder)
    return folder
