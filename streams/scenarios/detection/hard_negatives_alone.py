"""Each kind of hard negative by itself, among a few ordinary accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from streams.contracts.records import encode_record
from streams.engine.replay import ScheduledEntry
from streams.policy.control_entries import allowlist_entry
from streams.policy.ladder import RUNGS
from streams.scenarios.detection.campaign_figures import CohortFigures, figures
from streams.scenarios.detection.hard_negatives import (
    LAUNCH,
    OWN_MODEL,
    hard_negatives,
)
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.populations import small
from streams.scenarios.detection.run import Run, Simulated, run, simulated
from streams.scenarios.detection.source import Source
from streams.scenarios.scenario import Release, Scenario

__all__ = [
    "HardNegative",
    "hard_negative_names",
    "hard_negatives_alone",
    "of_cohort",
]

_BATCH_MINUTES: Final = 240
"""Nobody responds to actions here, so long batches change nothing but the speed."""
_LAUNCH_AT: Final = 0.4
_RUSH: Final = Release(model=LAUNCH, hour=1.0, adoption=0.8, rush=4.0)


class HardNegative(msgspec.Struct, frozen=True):
    """One kind: its accounts, and those that were actioned above ``label``.

    ``linked`` are accounts that an alert names or any action is about; ``campaigns``
    those that the run made of the whole small population, none of which is one.
    """

    name: str
    accounts: int
    account_days: int
    linked: int
    actions_above_label: int
    rate: Rate
    campaigns: int


def hard_negative_names() -> tuple[str, ...]:
    """Names of all kinds, in the order in which they are tested.

    >>> len(hard_negative_names())
    15
    """
    return (*(kind.name for kind in hard_negatives(1.0)), OWN_MODEL.name)


def hard_negatives_alone(
    source: Source,
    *,
    scale: float,
    ordinary: int,
    hours: float,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> tuple[HardNegative, ...]:
    """Test each kind in a population of its own with ``ordinary`` other accounts."""
    names = hard_negative_names()
    results = []
    for number, name in enumerate(names):
        scenario = _scenario(name, scale, ordinary, hours, seed + number)
        made = simulated(scenario, source)
        entries = _agreement(made) if name == OWN_MODEL.name else []
        done = run(made, entries=entries, responds=False, batch_minutes=_BATCH_MINUTES)
        results.append(_figures(done, name))
        progress("hard negatives", number + 1, len(names))
    return tuple(results)


def _scenario(
    name: str, scale: float, ordinary: int, hours: float, seed: int
) -> Scenario:
    cohorts = tuple(kind for kind in hard_negatives(scale) if kind.name == name)
    own = replace(OWN_MODEL, accounts=max(10, round(OWN_MODEL.accounts * scale)))
    launch = replace(_RUSH, hour=_LAUNCH_AT * hours)
    return small(
        f"hard-{name}",
        hours=hours,
        ordinary=ordinary,
        cohorts=cohorts,
        campaign=() if cohorts else (own,),
        release=(launch,) if name == "launch_day_rush" else (),
        seed=seed,
    )


def _agreement(made: Simulated) -> list[ScheduledEntry]:
    """Allowlist the payments of the customer who distils its own model."""
    payments = {
        account.payment
        for account in made.world.traffic.accounts
        if account.campaign == OWN_MODEL.name
    }
    entries = [
        allowlist_entry(
            f"facet:payment:{payment}",
            author="benchmark",
            reason="distillation of its own model, under an agreement",
            created_at=0,
        )
        for payment in sorted(payments - {None}, key=str)
    ]
    return [ScheduledEntry(-1, e.entry_id, encode_record(e)) for e in entries]


def _figures(done: Run, name: str) -> HardNegative:
    result = figures(done)
    if name == OWN_MODEL.name:
        (own,) = result.campaigns
        above = _above_label(done, name)
        return HardNegative(
            name=name,
            accounts=own.accounts,
            account_days=0,
            linked=own.recall.hits,
            actions_above_label=above,
            rate=Rate.of(above, own.accounts),
            campaigns=_campaigns(done),
        )
    (cohort,) = (each for each in result.cohorts if each.cohort == name)
    return of_cohort(cohort, _campaigns(done))


def of_cohort(cohort: CohortFigures, campaigns: int) -> HardNegative:
    """Sum up a cohort of a run in which ``campaigns`` were taken for such."""
    above = cohort.above_label()
    return HardNegative(
        name=cohort.cohort,
        accounts=cohort.accounts,
        account_days=cohort.account_days,
        linked=cohort.linked,
        actions_above_label=above,
        rate=Rate.of(above, cohort.accounts),
        campaigns=campaigns,
    )


def _campaigns(done: Run) -> int:
    return len({a.campaign_id for a in done.outcome.alerts if a.kind != "notice"})


def _above_label(done: Run, campaign: str) -> int:
    accounts = {
        f"account:{account}"
        for account, of in done.outcome.truth.select(
            "account_id", "campaign"
        ).iter_rows()
        if of == campaign
    }
    worst = RUNGS.index("label")
    return len(
        {
            action.subject
            for action in done.outcome.actions
            if action.subject in accounts and RUNGS.index(action.rung) > worst
        }
    )
