"""Run a scenario through the engine, batch by batch, with an attacker who responds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from streams.config import Config
from streams.contracts import decode, encode
from streams.contracts.time_units import MS_PER_DAY, MS_PER_MINUTE
from streams.engine.replay import Pipeline, ScheduledEntry
from streams.engine.stage import Output
from streams.scenarios.detection.respawn import Respawns
from streams.scenarios.detection.source import Source
from streams.scenarios.events import Events
from streams.scenarios.harvest import harvest
from streams.scenarios.outcomes import Action, Alert, Outcome
from streams.scenarios.population import populate
from streams.scenarios.prompt_table import PromptTable
from streams.scenarios.scenario import Scenario
from streams.scenarios.traffic import NO_CAMPAIGN, Account
from streams.scenarios.world import World

__all__ = [
    "BATCH_MINUTES",
    "GroupTest",
    "Progress",
    "Run",
    "Simulated",
    "run",
    "simulated",
]

BATCH_MINUTES: Final = 30
"""Event time fed at once; an attacker and an enforcer respond at its end."""

Progress = Callable[[str, int, int], None]
"""Told the step, how much of it is done, and how much there is."""


class Simulated(NamedTuple):
    """A scenario's events before any of them was sent."""

    world: World
    events: Events


class GroupTest(NamedTuple):
    """A test of a group that a day's budget paid for: its error level and outcome."""

    level: float
    e_value: float


class Run(NamedTuple):
    """A scenario, what was decided, and who was who.

    ``sent``: account_id, time (ms) and campaign of each event, in time order; the
    account is the one that it was sent from. ``opened``: accounts that took the place
    of another because of an action. ``planned``: accounts of each campaign before any
    was replaced so. ``seconds`` is the engine's own time, by the clock given. ``tests``
    are those of groups; looks that confirm a campaign cost no budget and are left out.
    """

    scenario: Scenario
    outcome: Outcome
    sent: pl.DataFrame
    opened: tuple[str, ...]
    planned: Mapping[str, int]
    infrastructure: Mapping[str, int]
    seconds: float
    tests: tuple[GroupTest, ...]

    @property
    def events_per_second(self) -> float:
        """Events that the engine handled in a second, without making them."""
        return self.outcome.events / self.seconds if self.seconds else 0.0


def simulated(
    scenario: Scenario,
    source: Source,
    progress: Progress = lambda _step, _done, _total: None,
) -> Simulated:
    """Make a scenario's accounts, prompts and events; nothing is written."""
    scenario = source.with_own_tasks(scenario)
    world = World(scenario, scenario.seed, source.corpora, source.rates, PromptTable())
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
    return Simulated(world, Events(world))


def run(
    made: Simulated,
    *,
    entries: Iterable[ScheduledEntry] = (),
    renamed: Mapping[str, str] | None = None,
    every: int = 1,
    altered: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    responds: bool = True,
    catalogue: str = "",
    batch_minutes: int = BATCH_MINUTES,
    clock: Callable[[], float] = lambda: 0.0,
    progress: Progress = lambda _step, _done, _total: None,
) -> Run:
    """Send the events through a pipeline of its own.

    ``entries`` are operators' entries. ``renamed`` maps names of campaigns to the one
    they are parts of, and cohorts that are campaigns in truth (``every`` so many of
    their accounts) to the campaign's name: all their requests are its exchanges.
    ``altered`` changes records of campaign accounts before they are sent.
    ``responds``: actioned accounts are replaced. ``catalogue`` is a file of public
    templates that link nobody. ``clock`` tells seconds.
    """
    truth = _Truth(made, renamed or {}, every)
    respawns = Respawns(made.world.seed, truth.guilty)
    guilty = frozenset(truth.guilty)
    pipeline = Pipeline(Config(mode="enforce", catalogue=catalogue))
    pipeline.schedule(entries)
    decided = _Decided()
    sent_from: list[str] = []
    seconds = 0.0
    total = len(made.events)
    for batch in _batches(made, batch_minutes):
        if altered is not None:
            batch = [altered(r) if r["account_id"] in guilty else r for r in batch]  # noqa: PLW2901 sent in another way
        if responds:
            batch = [respawns.dress(record, truth.shared) for record in batch]  # noqa: PLW2901 sent under other ids
        sent_from += [record["account_id"] for record in batch]
        values = [encode("RequestEvent", record) for record in batch]
        begun = clock()
        pipeline.feed(values)
        outputs = pipeline.flush()
        seconds += clock() - begun
        fresh = decided.take(outputs)
        if responds:
            respawns.take(fresh, batch[-1]["occurred_at"])
        progress("events", len(sent_from), total)
    begun = clock()
    outputs = pipeline.close()
    seconds += clock() - begun
    decided.take(outputs)
    opened = {account: respawns.seat(account) for account in respawns.opened}
    sent = truth.sent(sent_from)
    return Run(
        made.world.scenario,
        truth.outcome(sent, opened, decided),
        sent,
        tuple(respawns.opened),
        truth.planned(),
        truth.infrastructure(),
        seconds,
        tuple(decided.tests),
    )


class _Decided:
    """The actions, alerts and tests that left the pipeline."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.tests: list[GroupTest] = []
        self.alerts: list[Alert] = []

    def take(self, outputs: Iterable[Output]) -> list[Action]:
        """Keep what is scored; give the new actions. What lifts one is left out."""
        fresh = []
        for output in outputs:
            if output.value is None:
                continue
            if output.topic == "llm.actions":
                fresh.append(msgspec.convert(decode("Action", output.value), Action))
            elif output.topic == "llm.alerts":
                alert = msgspec.convert(decode("Alert", output.value), Alert)
                self.alerts.append(alert)
            elif output.topic == "llm.decisions":
                self._ledger(decode("Decision", output.value))
        self.actions += fresh
        return fresh

    def _ledger(self, decision: Mapping[str, Any]) -> None:
        # A look that confirms a campaign has no budget of its own, so none is left.
        if decision["kind"] == "tested" and decision["budget_left"] > 0:
            self.tests.append(GroupTest(decision["level"], decision["e_value"]))


class _Truth:
    """Who belongs to which cohort and campaign."""

    def __init__(self, made: Simulated, renamed: Mapping[str, str], every: int) -> None:
        self._made = made
        self._renamed = renamed
        accounts = made.world.traffic.accounts
        hostile: set[str] = set()
        met: Counter[str] = Counter()
        for account in accounts:
            if account.cohort in renamed:
                if met[account.cohort] % every == 0:
                    hostile.add(account.id)
                met[account.cohort] += 1
        self._hostile = hostile
        self.cohort = {
            account.id: "campaign" if account.id in hostile else account.cohort
            for account in accounts
        }
        self.campaign = {account.id: self._name(account) for account in accounts}
        self.guilty = [account for account, name in self.campaign.items() if name]
        self.shared = self._shared()

    def _name(self, account: Account) -> str:
        if account.id in self._hostile:
            return self._renamed[account.cohort]
        return self._renamed.get(account.campaign, account.campaign)

    def _shared(self) -> frozenset[str]:
        """Collect payments and networks that more than one account uses."""
        world = self._made.world
        payments = Counter(a.payment for a in world.traffic.accounts if a.payment)
        requests = self._made.events.requests
        networks_used, _ = _distinct(requests.network, requests.account)
        used = np.bincount(networks_used, minlength=len(world.networks))
        networks = {world.networks[row] for row in np.flatnonzero(used > 1)}
        return frozenset({p for p, count in payments.items() if count > 1} | networks)

    def planned(self) -> dict[str, int]:
        """Count the accounts of each campaign that the scenario has."""
        rows = self._made.events.active()
        accounts = self._made.world.traffic.accounts
        return dict(Counter(self.campaign[accounts[row].id] for row in rows
                            if self.campaign[accounts[row].id]))  # fmt: skip

    def infrastructure(self) -> dict[str, int]:
        """Count the networks, payments and client builds of each campaign."""
        world, requests = self._made.world, self._made.events.requests
        found: dict[str, set[tuple[str, object]]] = {}
        names = [self.campaign[account.id] for account in world.traffic.accounts]
        for kind, column in (("network", requests.network), ("build", requests.build)):
            for account, value in zip(
                *map(np.ndarray.tolist, _distinct(requests.account, column)),
                strict=True,
            ):
                if names[account]:
                    found.setdefault(names[account], set()).add((kind, value))
        for account in self._made.events.active():
            if names[account]:
                payment = ("payment", world.traffic.accounts[account].payment)
                found[names[account]].add(payment)
        return {name: len(units) for name, units in found.items()}

    def sent(self, sent_from: list[str]) -> pl.DataFrame:
        """Tabulate account, time and campaign of each event."""
        world, requests = self._made.world, self._made.events.requests
        renamed, accounts = self._renamed, world.traffic.accounts
        names = [renamed.get(c.name, c.name) for c in world.scenario.campaign]
        rows: NDArray[np.int64] = requests.campaign
        none = np.where(rows == NO_CAMPAIGN, len(names), rows)
        campaign = pl.Series([*names, ""], dtype=pl.String).gather(none)
        if self._hostile:
            whole = [self._name(a) if a.id in self._hostile else "" for a in accounts]
            of_account = pl.Series(whole).gather(requests.account)
            campaign = of_account.zip_with(of_account != "", campaign)
        return pl.DataFrame(
            {
                "account_id": sent_from,
                "time": requests.time + world.start,
                "campaign": campaign,
            }
        )

    def outcome(
        self, sent: pl.DataFrame, opened: Mapping[str, str], decided: _Decided
    ) -> Outcome:
        """Join truth and decisions to what is scored."""
        active = sent["account_id"].unique(maintain_order=True).to_list()
        origin = [opened.get(account, account) for account in active]
        truth = pl.DataFrame(
            {
                "account_id": active,
                "cohort": [self.cohort[account] for account in origin],
                "campaign": [self.campaign[account] for account in origin],
            },
            schema=dict.fromkeys(("account_id", "cohort", "campaign"), pl.String),
        )
        ordinary = sent.join(
            truth.filter(pl.col("campaign") == "").select("account_id"),
            on="account_id",
        )
        days = ordinary.select("account_id", pl.col("time") // MS_PER_DAY).unique()
        return Outcome(
            truth=truth,
            exchanges=sent.filter(pl.col("campaign") != "").select(
                "account_id", "campaign", "time"
            ),
            events=len(sent),
            account_days=len(days),
            actions=decided.actions,
            alerts=decided.alerts,
        )


def _distinct(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the distinct pairs of two columns of rows, as two columns."""
    base = int(second.max(initial=0)) + 1
    pairs = np.unique(first * base + second)
    return pairs // base, pairs % base


def _batches(made: Simulated, minutes: int) -> Iterator[list[dict[str, Any]]]:
    """Give the records of each stretch of event time; an empty one is left out."""
    batch: list[dict[str, Any]] = []
    end = 0
    for record in made.events.records():
        if batch and record["occurred_at"] >= end:
            yield batch
            batch = []
        if not batch:
            span = minutes * MS_PER_MINUTE
            end = (record["occurred_at"] // span + 1) * span
        batch.append(record)
    if batch:
        yield batch
