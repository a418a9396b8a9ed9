from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from streams.scenarios.scenario import load
from streams.scenarios.simulate import EVENTS, simulate

SCENARIO = """
name = "small"
description = "a few people"
start = 2026-03-02T00:00:00Z
duration_hours = 6
[models]
"m" = 1
[[cohort]]
name = "people"
accounts = 30
requests_per_day = 20
"""


def test_throughput_measures_every_part_and_the_traffic(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SCENARIO)
    summary = simulate(load(str(tmp_path / "small.toml")), tmp_path)
    done = subprocess.run(  # noqa: S603  our own command
        [
            *(sys.executable, "-c", "from streams.cli import main; main()"),
            *("benchmark", "throughput", "--rounds", "2", "--json"),
            *("--events", str(tmp_path / EVENTS)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    result = msgspec.json.decode(done.stdout)
    assert result["events"] == summary.events > 0
    assert min(result[p] for p in ("row_decode", "chunk_decode", "decode_engine")) > 0
    # Every facets partition hears of closed minutes, so something always travels.
    assert result["between_stages"]["bytes_per_event"] > 0
