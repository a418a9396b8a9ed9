from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from streams.cli.benchmarks.traffic import (
    QUICK,
    cached_traffic,
    last_minute,
    write_live,
)
from streams.contracts import load_topics, read_container
from streams.engine.murmur2 import partition_of


@pytest.fixture(scope="module")
def events(traffic: Path) -> pl.DataFrame:
    return pl.concat(read_container(traffic))


def test_it_has_the_size_asked_for_and_rises_in_time(events: pl.DataFrame) -> None:
    assert len(events) == QUICK.events
    assert events["account_id"].n_unique() == QUICK.accounts
    assert events["event_id"].n_unique() == QUICK.events
    assert events["occurred_at"].is_sorted()


def test_requests_of_ordinary_accounts_follow_the_zipf_law(
    events: pl.DataFrame,
) -> None:
    counts = events["account_id"].value_counts(sort=True)["count"].to_numpy()
    # Further down, campaign accounts with up to 150 requests lie in between.
    top = counts[:15].astype(float)
    slope = np.polyfit(np.log(np.arange(1, 16)), np.log(top), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.15)
    assert np.median(counts) <= 2


def test_every_partition_ends_in_an_event_that_closes_all_else(
    events: pl.DataFrame, traffic: Path
) -> None:
    partitions = load_topics()["llm.requests"].partitions
    closing, rest = events[-partitions:], events[:-partitions]
    homes = [partition_of(name, partitions) for name in closing["account_id"]]
    assert homes == list(range(partitions))
    minute = last_minute(traffic)
    assert rest["occurred_at"].max() // 60_000 <= minute  # type: ignore[operator]  # ints
    assert (closing["occurred_at"] // 60_000 == minute + 1).all()


def test_live_it_goes_on_after_what_is_skipped_at_an_even_pace(
    events: pl.DataFrame, traffic: Path, tmp_path: Path
) -> None:
    skip = 25_001  # within a block of the container
    write_live(traffic, tmp_path / "live", skip=skip, rate=200.0)
    live = pl.concat(read_container(tmp_path / "live"))
    assert len(live) == QUICK.events - skip
    assert live["event_id"].equals(events["event_id"][skip:])
    times = live["occurred_at"]
    assert times[0] % 60_000 == 0
    assert times[0] > events["occurred_at"][skip - 1]
    assert (times.diff().drop_nulls() == 5).all()  # ms between two of 200 a second


def test_populations_share_no_network_and_no_template(events: pl.DataFrame) -> None:
    population = events["network"].str.slice(0, 2)
    assert population.n_unique() >= 2
    heads = events["sketch"].bin.slice(24, 8)
    shared = (
        pl.DataFrame({"head": heads, "population": population})
        .filter(pl.col("head") != b"\0" * 8)
        .group_by("head")
        .agg(pl.col("population").n_unique())
    )
    assert shared["population"].max() == 1


def test_it_is_made_once(traffic: Path) -> None:
    before = traffic.stat().st_mtime_ns
    assert cached_traffic(QUICK) == traffic
    assert traffic.stat().st_mtime_ns == before
