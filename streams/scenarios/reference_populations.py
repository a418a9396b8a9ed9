"""Random populations for the reference: benign groups of every kind, and campaigns.

Real groups are not random draws from one pool, so each group here has its own size,
rhythm, network, client, age and text. A population holds no two groups that are
related. Campaign populations serve to fit the prior's weights only; the reference that
decides about error levels is made from benign ones.
"""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Final, Literal

from msgspec.structs import replace

from streams.scenarios.scenario import (
    Campaign,
    CampaignFacets,
    Cohort,
    Pool,
    Replacement,
    Scenario,
    Templates,
)

__all__ = ["benign_population", "campaign_population"]

_START: Final = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
_HOURS: Final = 48
_GROUP_COHORTS: Final = 14
_LARGEST_GROUP: Final = 120
_HEAVY_EVERY: Final = 4
_HEAVY_FACTOR: Final = 6
"""Every fourth population has half the groups and six times their traffic, so that
late looks have reference groups too."""
_BACKGROUND: Final = (
    Cohort(name="people", accounts=1500, requests_per_day=3),
    Cohort(name="nat", accounts=400, requests_per_day=2, network="carrier"),
    Cohort(name="proxy-people", accounts=200, requests_per_day=3, network="proxy"),
    Cohort(
        name="developers",
        accounts=40,
        requests_per_day=30,
        behaviour="bulk",
        roles=("legit-bulk",),
        client="sdk",
        organization="own",
    ),
)
_POOLS: Final = (
    Pool(name="carrier", networks=4, rotate=True),
    Pool(name="proxy", networks=20),
)
_MODELS: Final = {"aurora-2": 5.0, "aurora-2-mini": 4.0, "borealis-1": 1.0}

Client = Literal["browser", "sdk", "one"]


def benign_population(seed: int) -> Scenario:
    """Draw a population in which every group is honest."""
    chance = Random(seed)  # noqa: S311 - simulation, not cryptography
    heavy = seed % _HEAVY_EVERY == 0
    count = _GROUP_COHORTS // 2 if heavy else _GROUP_COHORTS
    cohorts = [_cohort(chance, number) for number in range(count)]
    if heavy:
        cohorts = [
            replace(cohort, requests_per_day=cohort.requests_per_day * _HEAVY_FACTOR)
            for cohort in cohorts
        ]
    return Scenario(
        name=f"reference-{seed}",
        description="benign groups of every kind",
        start=_START,
        duration_hours=_HOURS,
        models=_MODELS,
        seed=seed,
        pool=_POOLS,
        cohort=(*_BACKGROUND, *cohorts),
    )


def _cohort(chance: Random, number: int) -> Cohort:
    kind = chance.choice(["harness", "classroom", "app", "app", "bulk", "bulk"])
    groups = chance.randint(6, 14)
    size = min(round(chance.lognormvariate(2.5, 0.8)) + 5, _LARGEST_GROUP)
    young = chance.random() < 0.4
    start = chance.uniform(0, _HOURS - 12)
    brief = chance.random() < 0.4
    client: Client = chance.choice(["browser", "sdk", "one"])
    name = f"{kind}-{number}"
    age = (0.3, chance.uniform(1, 8)) if young else (1.0, chance.uniform(30, 900))
    profile: Literal["day", "office", "flat"] = chance.choice(["day", "office", "flat"])
    spread = chance.uniform(0.2, 1.2)
    hours = chance.uniform(2, 12) if brief else None
    if kind == "harness":
        return Cohort(
            name=name,
            behaviour="harness",
            accounts=groups * min(size, 20),
            groups=groups,
            requests_per_day=chance.uniform(10, 40) * (3 if brief else 1),
            roles=("legit-bulk",),
            client="sdk" if client == "browser" else client,
            items=chance.randint(30, 300),
            age_days=age,
            profile=profile,
            spread=spread,
            start_hour=start,
            duration_hours=hours,
        )
    if kind == "classroom":
        return Cohort(
            name=name,
            behaviour="classroom",
            accounts=groups * size,
            groups=groups,
            requests_per_day=chance.uniform(3, 12) * (3 if brief else 1),
            network=chance.choice(["one", "one", "own", "carrier"]),
            client="browser" if client == "sdk" else client,
            payment=chance.choice(["none", "none", "own"]),
            age_days=age,
            spread=spread,
            start_hour=start,
            duration_hours=hours,
        )
    if kind == "app":
        return Cohort(
            name=name,
            behaviour="app",
            accounts=groups * size,
            groups=groups,
            requests_per_day=chance.uniform(3, 20),
            client=client,
            network=chance.choice(["own", "own", "carrier", "proxy"]),
            template="group",
            age_days=age,
            profile=profile,
            spread=spread,
            start_hour=start if brief else 0.0,
        )
    return Cohort(
        name=name,
        behaviour="bulk",
        accounts=groups * min(size, 20),
        groups=groups,
        requests_per_day=chance.uniform(5, 40),
        roles=("legit-bulk",),
        client="sdk" if client == "browser" else client,
        network=chance.choice(["own", "own", "one", "proxy"]),
        template="group",
        age_days=age,
        profile=profile,
        spread=spread,
        start_hour=start if brief else 0.0,
        duration_hours=hours,
    )


def campaign_population(seed: int) -> Scenario:
    """Draw a population with a dozen unrelated campaigns among honest groups."""
    chance = Random(seed)  # noqa: S311 - simulation, not cryptography
    benign = benign_population(seed)
    campaigns = tuple(_campaign(chance, number) for number in range(12))
    return Scenario(
        name=f"campaigns-{seed}",
        description="campaigns of every shape among benign groups",
        start=_START,
        duration_hours=_HOURS,
        models=_MODELS,
        seed=seed,
        pool=_POOLS,
        cohort=benign.cohort,
        campaign=campaigns,
    )


def _campaign(chance: Random, number: int) -> Campaign:
    shape: Literal["rubric", "reasoning", "tooluse", "coding", "instructions"]
    shape = chance.choice(["rubric", "reasoning", "tooluse", "coding", "instructions"])
    accounts = round(chance.lognormvariate(3.3, 0.7)) + 6
    low = chance.uniform(10, 40)
    shared = chance.random
    return Campaign(
        name=f"{shape}-{number}",
        shape=shape,
        accounts=accounts,
        requests_per_day=(low, low * chance.uniform(1.2, 4)),
        roles=(f"campaign-{shape}", "campaign-"),
        mix_share=chance.choice([0.2, 0.5, 0.8, 1.0]),
        templates=Templates(
            count=chance.randint(1, 5),
            wrap=(chance.choice(["prefix", "suffix", "both", "system"]),),
            word_drop=chance.choice([0.0, 0.0, 0.04]),
            random_prefix=chance.choice([0.0, 0.0, 0.3]),
        ),
        facets=CampaignFacets(
            pool="proxy" if shared() < 0.4 else "",
            networks=chance.randint(1, 10) if shared() < 0.5 else 0,
            clients=chance.randint(1, 5),
            client=chance.choice(["browser", "sdk", "one", "one"]),
            payments=chance.randint(1, 5) if shared() < 0.35 else 0,
        ),
        age_days=(0.3, chance.choice([3.0, 20.0, 200.0])),
        created_together=chance.randint(1, 10),
        pace=chance.choice(["steady", "lockstep", "diurnal"]),
        start_hour=chance.uniform(0, 20),
        replacement=(
            Replacement(after_hours=(8.0, 24.0)) if chance.random() < 0.3 else None
        ),
    )
