from pathlib import Path

import polars as pl
from msgspec.structs import replace

from streams.contracts.records import encode_record
from streams.engine.replay import ScheduledEntry
from streams.policy.budget import DAILY_BUDGET
from streams.policy.control_entries import allowlist_entry
from streams.scenarios.detection.populations import small
from streams.scenarios.detection.run import Run, Simulated, run, simulated
from streams.scenarios.detection.source import Source
from streams.scenarios.prompt_table import SIMULATION_KEY, SIMULATION_KEY_ID
from streams.scenarios.scenario import CampaignFacets, Templates
from streams.sketch.catalogue_builder import build_catalogue, public_templates


def test_the_same_events_give_the_same_run(done: Run, made: Simulated) -> None:
    again = run(made)
    assert again.sent.equals(done.sent)
    assert again.outcome.actions == done.outcome.actions
    assert again.opened == done.opened


def test_actioned_accounts_are_replaced_and_send_on(done: Run, made: Simulated) -> None:
    opened = set(done.opened)
    assert opened
    campaign = done.outcome.truth.filter(pl.col("campaign") == "loud")
    assert done.planned == {"loud": 14}
    assert opened & set(campaign["account_id"]) == opened & set(done.sent["account_id"])
    assert not opened & {a.id for a in made.world.traffic.accounts}


def test_nobody_is_replaced_where_the_attacker_does_not_respond(
    made: Simulated,
) -> None:
    silent = run(made, responds=False)
    assert not silent.opened
    assert set(silent.sent["account_id"]) == {
        made.world.traffic.accounts[row].id for row in made.events.active()
    }


def test_no_event_is_lost_and_exchanges_are_those_of_the_scenario(
    done: Run, made: Simulated
) -> None:
    assert len(done.sent) == len(made.events) == done.outcome.events
    assert len(done.outcome.exchanges) == len(list(made.events.exchanges()))
    assert done.sent["time"].is_sorted()


def test_a_cohort_may_be_a_campaign_in_truth(made: Simulated) -> None:
    renamed = run(made, renamed={"office": "hidden"}, responds=False)
    truth = renamed.outcome.truth
    assert "office" not in set(truth["cohort"])
    hidden = truth.filter(pl.col("campaign") == "hidden")["account_id"]
    sent = renamed.sent.filter(pl.col("account_id").is_in(hidden.to_list()))
    assert set(sent["campaign"]) == {"hidden"}
    assert renamed.planned["hidden"] == len(hidden)


def test_an_allowlist_for_everybody_stops_every_action(
    done: Run, made: Simulated
) -> None:
    entry = allowlist_entry("*", author="test", reason="all", created_at=0)
    entries = [ScheduledEntry(-1, entry.entry_id, encode_record(entry))]
    assert not run(made, entries=entries, responds=False).outcome.actions
    assert done.outcome.actions


def test_infrastructure_is_counted_by_distinct_units(done: Run) -> None:
    """Three networks, one build and two payments of their own."""
    assert done.infrastructure == {"loud": 6}


def test_a_catalogued_template_links_nobody(
    made: Simulated, source: Source, tmp_path: Path
) -> None:
    (loud,) = made.world.scenario.campaign
    public = replace(
        loud,
        templates=Templates(public=("simple-evals-math",)),
        facets=CampaignFacets(),
    )
    hiding = simulated(
        small("hiding", hours=10, ordinary=60, campaign=(public,), seed=4), source
    )
    assert run(hiding, responds=False).tests
    place = tmp_path / "catalogue.json"
    key = [(SIMULATION_KEY_ID, SIMULATION_KEY)]
    place.write_bytes(build_catalogue(public_templates(), key).encode())
    assert not run(hiding, responds=False, catalogue=str(place)).tests


def test_tests_are_told_with_their_levels(done: Run) -> None:
    assert done.tests
    for test in done.tests:
        assert 0 < test.level < DAILY_BUDGET
    assert any(test.level * test.e_value >= 1 for test in done.tests)
