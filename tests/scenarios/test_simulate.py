from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import polars as pl
import pytest

from streams.contracts import fingerprint, schema
from streams.contracts.containers import iter_datums, read_container
from streams.scenarios.scenario import Scenario, load
from streams.scenarios.simulate import EVENTS, EXCHANGES, TRUTH, simulate
from streams.sketch import Sketch

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_772_409_600_000
"""2026-03-02T00:00:00Z, ms."""


@pytest.fixture(scope="module")
def events(small_run: Path) -> pl.DataFrame:
    """Return the events with their accounts' truth and the campaign of the exchange."""
    frame = pl.concat(read_container(small_run / EVENTS)).with_columns(
        pl.col("occurred_at", "account_created_at").cast(pl.Int64)
    )
    truth = pl.read_csv(small_run / TRUTH).fill_null("")
    marked = pl.read_csv(small_run / EXCHANGES).select("event_id", exchange="campaign")
    return frame.join(truth, on="account_id", how="left").join(
        marked, on="event_id", how="left"
    )


def of(events: pl.DataFrame, cohort: str) -> pl.DataFrame:
    return events.filter(pl.col("cohort") == cohort)


def campaign(events: pl.DataFrame, name: str) -> pl.DataFrame:
    return events.filter(pl.col("campaign") == name)


def hashes(folder: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (EVENTS, TRUTH, EXCHANGES)
    }


PROGRAM = """
import sys
from pathlib import Path
from streams.scenarios.scenario import load
from streams.scenarios.simulate import simulate
seed = int(sys.argv[3]) if sys.argv[3:] else None
simulate(load(sys.argv[1]), Path(sys.argv[2]), seed=seed)
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_writes_the_same_bytes(
    small_run: Path, small_toml: Path, tmp_path: Path, hash_seed: str
) -> None:
    subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-c", PROGRAM, str(small_toml), str(tmp_path)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert hashes(tmp_path) == hashes(small_run)


def test_another_seed_changes_events_and_ids_but_not_the_kind_of_things(
    small_run: Path, small_toml: Path, tmp_path: Path
) -> None:
    simulate(load(str(small_toml)), tmp_path, seed=6)
    ours, other = (
        pl.read_csv(folder / TRUTH).fill_null("") for folder in (small_run, tmp_path)
    )
    assert not set(ours["account_id"]) & set(other["account_id"])
    assert set(ours["cohort"]) == set(other["cohort"])


def test_events_are_in_time_order_with_ties_by_id_and_within_the_scenario(
    events: pl.DataFrame,
) -> None:
    keys = events.select("occurred_at", "event_id")
    assert keys.equals(keys.sort("occurred_at", "event_id"))
    assert keys["event_id"].n_unique() == len(keys)
    assert events["occurred_at"].min() >= START  # type: ignore[operator]  # ints
    assert events["occurred_at"].max() < START + 30 * HOUR  # type: ignore[operator]  # ints


def test_the_file_has_the_present_schema_and_every_sketch_is_of_one_key(
    small_run: Path, events: pl.DataFrame
) -> None:
    assert next(iter_datums(small_run / EVENTS))[2:10] == fingerprint(
        schema("RequestEvent")
    )
    sketches = [Sketch.from_bytes(data) for data in events["sketch"]]
    assert len({(s.version, s.key_epoch) for s in sketches}) == 1


def test_the_truth_has_each_account_once_and_an_exchange_is_of_its_account(
    small_run: Path, events: pl.DataFrame
) -> None:
    truth = pl.read_csv(small_run / TRUTH)
    assert truth.columns == ["account_id", "cohort", "campaign"]
    assert truth["account_id"].n_unique() == len(truth)
    assert set(truth["account_id"]) == set(events["account_id"])
    assert ((events["campaign"] != "") == (events["cohort"] == "campaign")).all()
    marked = events.filter(pl.col("exchange").is_not_null())
    assert (marked["exchange"] == marked["campaign"]).all()
    order = pl.read_csv(small_run / EXCHANGES)["event_id"]
    assert order.to_list() == marked["event_id"].to_list()


@pytest.mark.parametrize(
    "name", ["event_id", "account_id", "organization_id", "api_key_id", "network",
             "payment", "conversation_id", "tools_hash"],
)  # fmt: skip
def test_an_id_is_hex_and_tells_nothing(events: pl.DataFrame, name: str) -> None:
    values = events[name].drop_nulls()
    assert len(values)
    assert all(re.fullmatch("[0-9a-f]+", value) for value in values)
    lengths = events.with_columns(n=pl.col(name).str.len_chars()).filter(
        pl.col("n").is_not_null()
    )
    assert lengths["n"].n_unique() == 1


def test_campaign_builds_are_common_ones(events: pl.DataFrame) -> None:
    from streams.scenarios.facets import SDKS

    guilty = of(events, "campaign").select("client", "tls_ja4").unique()
    assert set(guilty.rows()) <= {(b.client, b.tls_ja4) for b in SDKS}
    assert campaign(events, "graders")["client"].n_unique() == 1
    assert campaign(events, "heads")["client"].n_unique() == 2


def test_facets_are_shared_as_the_scenario_says(events: pl.DataFrame) -> None:
    company, klass = of(events, "company"), of(events, "class")
    for name in ("network", "payment", "organization_id"):
        assert company[name].n_unique() == 1
    assert klass["network"].n_unique() == 1
    assert klass["payment"].null_count() == len(klass)
    assert of(events, "bulk")["organization_id"].n_unique() == 2
    assert of(events, "people")["payment"].n_unique() == (
        of(events, "people")["account_id"].n_unique()
    )
    graders = campaign(events, "graders")
    assert (graders["network"].n_unique(), graders["payment"].n_unique()) == (3, 1)
    pool = set(of(events, "proxied")["network"])
    assert set(campaign(events, "heads")["network"]) <= pool
    assert len(pool) == 6


def test_a_harness_repeats_prompts_across_accounts_and_a_campaign_varies_them(
    events: pl.DataFrame,
) -> None:
    def exact(frame: pl.DataFrame) -> set[int]:
        return {Sketch.from_bytes(data).exact for data in frame["sketch"]}

    def heads(frame: pl.DataFrame) -> set[int]:
        return {Sketch.from_bytes(data).head for data in frame["sketch"]}

    harness = of(events, "harness")
    runs = [exact(part) for part in harness.partition_by("account_id")]
    assert len(runs) == 6
    assert len(set.intersection(*runs)) == len(set.union(*runs)) == 20
    guilty = campaign(events, "graders")
    assert len(exact(guilty)) > 0.95 * len(guilty)
    assert len(heads(guilty)) <= 2


def test_a_mixed_campaign_is_half_ordinary_and_replaces_its_accounts(
    events: pl.DataFrame,
) -> None:
    heads = campaign(events, "heads")
    assert 0.42 < heads["exchange"].is_not_null().mean() < 0.58  # type: ignore[operator]  # a float
    lives = heads.group_by("account_id").agg(
        first=pl.col("occurred_at").min(),
        last=pl.col("occurred_at").max(),
        born=pl.col("account_created_at").first(),
    )
    assert len(lives) >= 30
    assert ((lives["last"] - lives["first"]) <= 9 * HOUR).all()
    later = lives.filter(pl.col("born") > START)
    assert len(later) >= 20
    assert (lives["born"] <= lives["first"]).all()


def test_the_pivot_moves_half_within_its_hours_and_nothing_uses_a_model_before_release(
    events: pl.DataFrame,
) -> None:
    new = events.filter(pl.col("request_model") == "new")
    assert new["occurred_at"].min() >= START + 12 * HOUR  # type: ignore[operator]  # ints
    graders = campaign(events, "graders").with_columns(
        hour=(pl.col("occurred_at") - START) // HOUR,
        moved=pl.col("request_model") == "new",
    )
    after = graders.filter(pl.col("hour") >= 18)["moved"].mean()
    during = graders.filter(pl.col("hour").is_between(12, 14))["moved"].mean()
    assert 0.4 < after < 0.6  # type: ignore[operator]  # floats
    assert 0.02 < during < 0.3  # type: ignore[operator]  # floats
    honest = new.filter(pl.col("cohort") != "campaign")
    assert len(honest) > 50


def test_no_account_calls_before_it_was_opened(events: pl.DataFrame) -> None:
    assert (events["occurred_at"] >= events["account_created_at"]).all()


def test_tokens_status_and_reasons_go_together(events: pl.DataFrame) -> None:
    good = events.filter(pl.col("status_code") == 200)
    bad = events.filter(pl.col("status_code") != 200)
    assert 0.95 < len(good) / len(events) < 1
    assert set(bad["status_code"]) <= {429, 500}
    assert bad["usage_output_tokens"].null_count() == len(bad)
    assert (bad["response_finish_reasons"].list.len() == 0).all()
    assert (good["response_finish_reasons"].list.len() == 1).all()
    assert (good["usage_input_tokens"] > 0).all()
    assert (good["usage_reasoning_output_tokens"] < good["usage_output_tokens"]).all()
    assert (good["usage_cache_read_input_tokens"] <= good["usage_input_tokens"]).all()
    assert events["enforced_action_id"].null_count() == len(events)


def test_with_a_corpus_prompts_and_arrivals_come_from_it(
    small_toml: Path, tmp_path: Path
) -> None:
    prompts = tmp_path / "corpus" / "prompts"
    prompts.mkdir(parents=True)
    lines = [
        msgspec.json.encode({"role": role, "corpus": role, "text": f"{role} nr {n}"})
        for role in ("legit-interactive", "legit-bulk", "campaign-other")
        for n in range(40)
    ]
    (prompts / "x.jsonl").write_bytes(b"\n".join(lines))
    scenario: Scenario = load(str(small_toml))
    first = simulate(scenario, tmp_path / "a", corpus=tmp_path / "corpus")
    again = simulate(scenario, tmp_path / "b", corpus=tmp_path / "corpus")
    assert first == again
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_progress_ends_where_it_said_it_would(small_toml: Path, tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}
    made = simulate(
        load(str(small_toml)),
        tmp_path,
        progress=lambda step, done, total: seen.__setitem__(step, (done, total)),
    )
    assert seen["events"] == (made.events, made.events)
    assert seen["accounts"][0] == seen["accounts"][1]
    assert not list(tmp_path.glob("*.partial"))
