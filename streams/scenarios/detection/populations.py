"""Whole populations: ordinary accounts, hard negatives among them, and campaigns."""

from __future__ import annotations

import datetime as dt
from typing import Final

from streams.scenarios.detection.hard_negatives import (
    HARD_NEGATIVES,
    LAUNCH,
    hard_negatives,
)
from streams.scenarios.detection.shapes import campaigns
from streams.scenarios.scenario import Campaign, Cohort, Pool, Release, Scenario

__all__ = ["MODELS", "POOLS", "START", "mixed", "small"]

START: Final = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
MODELS: Final = {"aurora-2": 5.0, "aurora-2-mini": 4.0, "borealis-1": 1.0}
POOLS: Final = (
    Pool(name="carrier", networks=4, rotate=True),
    Pool(name="proxy", networks=60, rotate=True),
)
_SHARE_HARD: Final = 0.25
"""Share of the ordinary accounts that belong to hard negatives."""
_LARGEST_COPY: Final = 1.0
"""A larger population holds more groups of hard negatives, not larger ones."""
_LAUNCH_AT: Final = 0.5
"""The new model comes out after this share of the time."""
_HARD_ACCOUNTS: Final = sum(kind.accounts for kind in HARD_NEGATIVES.values())


def _ordinary(accounts: int) -> tuple[Cohort, ...]:
    """People and developers on their own, some of them behind the campaigns' proxy."""

    def part(share: float) -> int:
        return max(1, round(accounts * share))

    return (
        Cohort(name="people", accounts=part(0.74), requests_per_day=2.4),
        Cohort(
            name="proxy_people",
            accounts=part(0.12),
            requests_per_day=4,
            network="proxy",
        ),
        Cohort(
            name="developers",
            behaviour="bulk",
            accounts=part(0.06),
            requests_per_day=30,
            roles=("legit-bulk",),
            client="sdk",
            organization="own",
            spread=1.2,
        ),
        Cohort(
            name="proxy_developers",
            behaviour="bulk",
            accounts=part(0.02),
            requests_per_day=30,
            roles=("legit-bulk",),
            network="proxy",
            client="sdk",
        ),
        Cohort(
            name="agents",
            behaviour="agentic",
            accounts=part(0.06),
            requests_per_day=30,
            roles=("legit-bulk-tooluse", "legit-bulk"),
            client="sdk",
            organization="own",
            profile="office",
        ),
    )


def mixed(accounts: int, *, hours: float, seed: int, hostile: bool = True) -> Scenario:
    """Make a population of so many accounts; ``hostile``: with all the campaigns."""
    launch = _LAUNCH_AT * hours
    guilty = campaigns(accounts, launch) if hostile else ()
    honest = max(accounts - sum(campaign.accounts for campaign in guilty), 100)
    hard = _SHARE_HARD * honest / _HARD_ACCOUNTS
    copies = max(1, round(hard / _LARGEST_COPY))
    return Scenario(
        name=f"mixed-{accounts}",
        description="every shape of campaign among ordinary accounts of every kind",
        start=START,
        duration_hours=hours,
        models=MODELS,
        seed=seed,
        release=(Release(model=LAUNCH, hour=launch, adoption=0.3, rush=2.5),),
        pool=POOLS,
        cohort=(
            *_ordinary(round(honest * (1 - _SHARE_HARD))),
            *hard_negatives(hard / copies, copies),
        ),
        campaign=guilty,
    )


def small(
    name: str,
    *,
    hours: float,
    ordinary: int,
    cohorts: tuple[Cohort, ...] = (),
    campaign: tuple[Campaign, ...] = (),
    release: tuple[Release, ...] = (),
    pools: tuple[Pool, ...] = (),
    seed: int,
) -> Scenario:
    """Make a population around one thing that is to be looked at alone."""
    return Scenario(
        name=name,
        description="ordinary accounts around one kind",
        start=START,
        duration_hours=hours,
        models=MODELS,
        seed=seed,
        release=release,
        pool=(*POOLS, *pools),
        cohort=(*_ordinary(ordinary), *cohorts),
        campaign=campaign,
    )
