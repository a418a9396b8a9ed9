"""Random populations for the reference: benign groups of every kind, and campaigns.

Groups of a population are unrelated, but for those that read the same guide. Benign
populations make the groups that a group is compared with
(`streams.scenarios.honest_groups`); campaign populations serve to fit the prior's
weights, and hold the bystanders that an account is compared with: ordinary accounts
that use a wording of a campaign.
"""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Final, Literal

from msgspec.structs import replace

from streams.scenarios.honest_groups import (
    KINDS,
    SITES_KINDS,
    honest_cohort,
    published_guide,
)
from streams.scenarios.scenario import (
    Campaign,
    CampaignFacets,
    Cohort,
    Pool,
    Release,
    Replacement,
    Scenario,
    Templates,
)

__all__ = ["benign_population", "campaign_population"]

_START: Final = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
_HOURS: Final = 48
_LIGHT_HOURS: Final = 20
_HEAVY_EVERY: Final = 4
"""Every fourth population lasts for two days, with fewer groups of six times the
traffic, so that late looks have reference groups too."""
_HEAVY_FACTOR: Final = 6
_COHORTS: Final = {True: 7, False: 16}
_GUIDED: Final = 1 / 3
"""Share of the benign populations in which groups share wordings that were published:
guides are rarer than programs, but their readers have nothing else in common."""
_GUIDES: Final = 4
_READERS: Final = (2, 3)
"""Kinds of groups that read a guide, and so many groups of each."""
_READING_GROUPS: Final = (1, 4)
_CAMPAIGN_COHORTS: Final = 6
_CAMPAIGN_SITES: Final = 4
_CAMPAIGNS: Final = 12
_ONE_PROGRAM: Final = 0.4
"""Share of the bystanding programs that are one program for all its users, such as an
evaluation harness: hardly anybody else has its client and TLS fingerprint."""
_SHAPES: Final = ("rubric", "reasoning", "tooluse", "coding", "instructions")
_BACKGROUND: Final = (
    Cohort(name="people", accounts=1200, requests_per_day=3),
    Cohort(name="nat", accounts=300, requests_per_day=2, network="carrier"),
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
_RELEASE: Final = Release(model="aurora-3", hour=9.0, adoption=0.3, rush=2.5)


def benign_population(seed: int, kinds: tuple[str, ...] = KINDS) -> Scenario:
    """Draw a population in which every group is honest."""
    chance = Random(seed)  # noqa: S311 - simulation, not cryptography
    heavy = seed % _HEAVY_EVERY == 0
    hours = _HOURS if heavy else _LIGHT_HOURS
    cohorts = [honest_cohort(chance, kinds, at, hours) for at in range(_COHORTS[heavy])]
    if heavy:
        cohorts = [
            replace(cohort, requests_per_day=cohort.requests_per_day * _HEAVY_FACTOR)
            for cohort in cohorts
        ]
    guides = _guides(chance) if chance.random() < _GUIDED else ()
    for guide in guides:
        cohorts += _readers(chance, kinds, guide, len(cohorts), hours)
    return Scenario(
        name=f"reference-{seed}",
        description="benign groups of every kind",
        start=_START,
        duration_hours=hours,
        models=_MODELS,
        seed=seed,
        release=(_RELEASE,) if seed % 2 else (),
        pool=_POOLS,
        cohort=(*_BACKGROUND, *cohorts),
        campaign=guides,
    )


def _guides(chance: Random) -> tuple[Campaign, ...]:
    return tuple(
        published_guide(
            f"guide-{number}",
            chance.choice(_SHAPES),
            Templates(
                count=chance.randint(1, 3),
                wrap=(chance.choice(["prefix", "both", "system"]),),
            ),
        )
        for number in range(_GUIDES)
    )


def _readers(
    chance: Random, kinds: tuple[str, ...], guide: Campaign, number: int, hours: int
) -> list[Cohort]:
    """Draw a few groups of several kinds that use a published wording now and then."""
    readers = []
    for at in range(chance.randint(*_READERS)):
        cohort = honest_cohort(chance, kinds, number + at, hours)
        groups = min(chance.randint(*_READING_GROUPS), cohort.groups)
        readers.append(
            replace(
                cohort,
                groups=groups,
                accounts=cohort.accounts // cohort.groups * groups,
                borrows=guide.name,
                borrowed=chance.choice([0.05, 0.1, 0.3]),
            )
        )
    return readers


def campaign_population(
    seed: int, kind: Literal["mixed", "one_site", "untemplated"] = "mixed"
) -> Scenario:
    """Draw a population with a dozen unrelated campaigns among honest groups.

    Each campaign has bystanders: honest accounts that know one of its wordings, now
    and then all of them, some behind the same proxy. ``one_site``: every campaign has a
    single payment or a single network, as few of them do. ``untemplated``: they have no
    wordings, are tied together by payments and networks only, and live among honest
    groups that are, too.
    """
    chance = Random(seed)  # noqa: S311 - simulation, not cryptography
    honest = [
        honest_cohort(chance, KINDS, at, _HOURS) for at in range(_CAMPAIGN_COHORTS)
    ]
    campaigns = [_campaign(chance, number) for number in range(_CAMPAIGNS)]
    if kind == "one_site":
        campaigns = [_at_one_site(chance, campaign) for campaign in campaigns]
    elif kind == "untemplated":
        campaigns = [_untemplated(chance, campaign) for campaign in campaigns]
        honest += [
            honest_cohort(chance, SITES_KINDS, _CAMPAIGN_COHORTS + at, _HOURS)
            for at in range(_CAMPAIGN_SITES)
        ]
    bystanders = [_bystanders(chance, campaign) for campaign in campaigns]
    return Scenario(
        name=f"campaigns-{seed}",
        description="campaigns of every shape among benign groups",
        start=_START,
        duration_hours=_HOURS,
        models=_MODELS,
        seed=seed,
        pool=_POOLS,
        cohort=(*_BACKGROUND, *honest, *bystanders),
        campaign=tuple(campaigns),
    )


def _campaign(chance: Random, number: int) -> Campaign:
    shape = chance.choice(_SHAPES)
    accounts = round(chance.lognormvariate(3.3, 0.7)) + 6
    low = chance.uniform(10, 40)
    shared = chance.random
    return Campaign(
        name=f"{shape}-{number}",
        shape=shape,  # type: ignore[arg-type]
        accounts=accounts,
        requests_per_day=(low, low * chance.uniform(1.2, 4)),
        roles=(f"campaign-{shape}", "campaign-"),
        mix_share=chance.choice([0.1, 0.2, 0.5, 0.8, 1.0]),
        templates=Templates(
            count=chance.randint(1, 6),
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


def _untemplated(chance: Random, campaign: Campaign) -> Campaign:
    """Take the wordings from a campaign; it shares infrastructure."""
    return replace(
        campaign,
        templates=Templates(count=0),
        facets=replace(
            campaign.facets,
            pool="",
            networks=chance.randint(2, 20),
            payments=chance.choice([0, 2, 4, 8, 12]),
        ),
    )


def _at_one_site(chance: Random, campaign: Campaign) -> Campaign:
    """Give a campaign a single payment, a single network, or both."""
    payments, networks = chance.choice([(1, 0), (0, 1), (1, 1), (1, 4)])
    facets = replace(campaign.facets, pool="", payments=payments, networks=networks)
    return replace(campaign, facets=facets)


def _bystanders(chance: Random, campaign: Campaign) -> Cohort:
    """Draw honest people or programs that know a wording of a campaign."""
    people = chance.random() < 0.5
    proxied = campaign.facets.pool and chance.random() < 0.5
    elsewhere = chance.choice(["own", "own", "own", "carrier", "proxy"])
    one_program = not people and chance.random() < _ONE_PROGRAM
    return Cohort(
        name=f"bystanders-of-{campaign.name}",
        accounts=chance.randint(10, 50),
        behaviour="interactive" if people else "bulk",
        requests_per_day=chance.uniform(5, 40),
        roles=("legit-interactive",) if people else ("legit-bulk",),
        network=campaign.facets.pool if proxied else elsewhere,
        client="one" if one_program else "browser" if people else "sdk",
        age_days=(0.3, chance.choice([8.0, 100.0, 900.0])),
        spread=chance.uniform(0.4, 1.2),
        borrows=campaign.name,
        borrows_all=chance.random() < 0.03,
        borrowed=chance.choice([0.1, 0.3, 0.6, 0.9]),
    )
