"""Run a scenario: ``events.avro``, ``truth.csv`` and ``exchanges.csv`` in a folder.

``truth.csv`` names each account's cohort and campaign (none for ordinary accounts).
``exchanges.csv`` lists the campaign exchanges, since a campaign account may also send
ordinary prompts. The same scenario, seed and corpus give the same bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from streams.contracts.containers import write_container
from streams.scenarios.arrivals import ClientRates
from streams.scenarios.corpora import Corpora
from streams.scenarios.events import Events
from streams.scenarios.harvest import harvest
from streams.scenarios.population import populate
from streams.scenarios.prompt_table import PromptTable
from streams.scenarios.scenario import Scenario
from streams.scenarios.world import World

__all__ = ["EVENTS", "EXCHANGES", "TRUTH", "Summary", "simulate"]

EVENTS, TRUTH, EXCHANGES = "events.avro", "truth.csv", "exchanges.csv"
Progress = Callable[[str, int, int], None]
"""Told the step, how much of it is done, and how much there is."""


class Summary(NamedTuple):
    """What a simulation wrote."""

    events: int
    accounts: int
    campaign_accounts: int
    campaign_exchanges: int


def simulate(
    scenario: Scenario,
    folder: Path,
    *,
    corpus: Path | None = None,
    seed: int | None = None,
    progress: Progress = lambda _step, _done, _total: None,
) -> Summary:
    """Write a scenario's events and truth to ``folder``, which is made if need be.

    ``corpus`` is a folder of prompts and traces (`CorpusNotFound` when it has none);
    without it everything is made up. ``seed`` replaces the scenario's own.
    """
    seed = scenario.seed if seed is None else seed
    rates = None
    corpora = Corpora.generated(seed)
    if corpus is not None:
        progress("corpus", 0, 1)
        corpora = Corpora.read(corpus, seed)
        rates = ClientRates.read(corpus)
    world = World(scenario, seed, corpora, rates, PromptTable())
    events = _populate(world, progress)
    folder.mkdir(parents=True, exist_ok=True)
    world.prompts.columns()
    write_container(folder / EVENTS, "RequestEvent", _counted(events, progress))
    accounts = [world.traffic.accounts[row] for row in events.active()]
    _write_csv(
        folder / TRUTH,
        ("account_id", "cohort", "campaign"),
        sorted((a.id, a.cohort, a.campaign) for a in accounts),
    )
    exchanges = list(events.exchanges())
    _write_csv(folder / EXCHANGES, ("event_id", "account_id", "campaign"), exchanges)
    return Summary(
        len(events),
        len(accounts),
        sum(bool(account.campaign) for account in accounts),
        len(exchanges),
    )


def _populate(world: World, progress: Progress) -> Events:
    scenario = world.scenario
    total = sum(cohort.accounts for cohort in scenario.cohort)
    total += sum(campaign.accounts for campaign in scenario.campaign)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress("accounts", done, total)

    for cohort in scenario.cohort:
        populate(world, cohort, count)
    for index, campaign in enumerate(scenario.campaign):
        harvest(world, campaign, index, count)
    return Events(world)


def _counted(events: Events, progress: Progress) -> Iterable[dict[str, Any]]:
    for number, record in enumerate(events.records(), 1):
        if not number % 1000 or number == len(events):
            progress("events", number, len(events))
        yield record


def _write_csv(
    path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
