"""Random populations for the reference: benign groups of every kind, and campaigns.

Real groups are not random draws from one pool, so each group here has its own size,
rhythm, network, client, payment, age and text. A population holds no two groups that
are related. Benign populations make the groups that a group is compared with; campaign
populations serve to fit the prior's weights, and hold the bystanders that an account
is compared with: ordinary accounts that use a wording of a campaign.
"""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any, Final, Literal

from msgspec.structs import replace

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

__all__ = [
    "KINDS",
    "SHARING_KINDS",
    "SITES_KINDS",
    "benign_population",
    "campaign_population",
]

_START: Final = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
_HOURS: Final = 48
_LIGHT_HOURS: Final = 20
_HEAVY_EVERY: Final = 4
"""Every fourth population lasts for two days, with fewer groups of six times the
traffic, so that late looks have reference groups too."""
_HEAVY_FACTOR: Final = 6
_COHORTS: Final = {True: 7, False: 16}
_CAMPAIGN_COHORTS: Final = 6
_CAMPAIGN_SITES: Final = 4
_CAMPAIGNS: Final = 12
_GROUPS: Final = (8, 20)
_SIZE: Final = (2.5, 0.8)
"""Mean and sigma of the logarithm of a group's accounts, besides the least ones."""
_LEAST, _LARGEST = 5, 120
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

KINDS: Final = (
    *("harness", "harness", "judge"),
    *("classroom", "classroom"),
    *("app", "app", "app", "popular", "launch"),
    *("bulk", "bulk", "outage", "agents"),
    *("framework", "framework"),
    *("campus", "campus", "campus"),
    *("team", "team", "team"),
    *("company", "company", "company", "company", "reseller"),
    *("swarm", "swarm"),
)
"""Kinds of honest groups, each as often as it is drawn.

harness: one public test set. judge: rubrics. classroom: one task, often one network.
app, popular, launch: people with one program's prompt; many of them; all new and of
one client. bulk: jobs with one wording; outage: all at once. agents: tools. framework:
several wordings of one program, as agent frameworks have. campus: one network. team:
one network and a few payments. company, reseller, swarm: one payment, without the
organization's id on the events.
"""


SHARING_KINDS: Final = ("team", "team", *("proxied_app",) * 4, "proxied_bulk")
"""Kinds of groups that share several networks or payments, which are few among all
kinds; a stratum of the reference is made of them."""


SITES_KINDS: Final = (
    *("branches", "branches", "agency", "agency"),
    *("coworking", "dealer", "school", "school", "club"),
)
"""Kinds of groups that share several payments and several networks, none of which has
most of them; another stratum of the reference is made of them.

branches: a company with offices and cards, without the organization's id. agency: the
same with programs behind a few addresses. coworking: teams with a card each in the same
rooms. dealer: a reseller with several tokens and addresses. school: buildings, and
cards of one's own. club: people of all ages with a few common networks.
"""


def benign_population(seed: int, kinds: tuple[str, ...] = KINDS) -> Scenario:
    """Draw a population in which every group is honest."""
    chance = Random(seed)  # noqa: S311 - simulation, not cryptography
    heavy = seed % _HEAVY_EVERY == 0
    hours = _HOURS if heavy else _LIGHT_HOURS
    cohorts = [_cohort(chance, kinds, at, hours) for at in range(_COHORTS[heavy])]
    if heavy:
        cohorts = [
            replace(cohort, requests_per_day=cohort.requests_per_day * _HEAVY_FACTOR)
            for cohort in cohorts
        ]
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
    )


def _cohort(chance: Random, kinds: tuple[str, ...], number: int, hours: int) -> Cohort:
    kind = chance.choice(kinds)
    groups = chance.randint(*_GROUPS)
    size = _size(chance)
    young = chance.random() < (_YOUNG_SITES if kind in SITES_KINDS else 0.4)
    brief = chance.random() < 0.3
    start = chance.uniform(0, hours - 10) if chance.random() < 0.5 else 0.0
    common: dict[str, Any] = {
        "name": f"{kind}-{number}",
        "groups": groups,
        "age_days": (0.3, chance.uniform(1, 8))
        if young
        else (chance.choice([0.5, 5.0]), chance.uniform(30, 900)),
        "profile": chance.choice(["day", "office", "flat"]),
        "spread": chance.uniform(0.2, 1.2),
        "client": chance.choice(["browser", "sdk", "one"]),
        "start_hour": start,
        "duration_hours": chance.uniform(2, 10) if brief else None,
        "requests_per_day": chance.uniform(4, 20) * (3 if brief else 1),
    }
    drawn = common | _OF_KIND[kind](chance)
    if drawn.get("behaviour") in {"harness", "bulk", "agentic"}:
        drawn["client"] = "sdk" if drawn["client"] == "browser" else drawn["client"]
        size = min(size, 25)
    if kind in _SIGNED_UP_TOGETHER and chance.random() < 0.4:
        drawn["created_together"] = chance.choice([3, 8, 20, size])
    if kind in SITES_KINDS:
        # Several payments and networks need people enough to share each.
        size = min(3 * size, _LARGEST)
        drawn["requests_per_day"] = chance.uniform(3, 12)
    if kind in {"company", "popular"} and chance.random() < 0.3:
        drawn["groups"], size = 3, chance.randint(60, 250)
    return Cohort(accounts=drawn["groups"] * size, **drawn)


def _size(chance: Random) -> int:
    return min(round(chance.lognormvariate(*_SIZE)) + _LEAST, _LARGEST)


_YOUNG_SITES: Final = 0.15
"""Share of the groups in several places that began within days: a lesson or a launch
does, and a firm with branches seldom."""

_SIGNED_UP_TOGETHER: Final = {
    *("classroom", "company", "swarm", "campus", "reseller"),
    *SITES_KINDS,
}
"""Kinds whose accounts may have been opened together, in a lesson or by a script: one
school or one payer stands behind them."""


def _harness(chance: Random) -> dict[str, Any]:
    return {
        "behaviour": "harness",
        "roles": ("legit-bulk",),
        "items": chance.randint(30, 300),
    }


def _judge(chance: Random) -> dict[str, Any]:
    roles = chance.choice([("campaign-rubric", "legit-bulk"), ("campaign-", "legit")])
    return _bulk(chance) | {"roles": roles, "network": "own"}


def _classroom(chance: Random) -> dict[str, Any]:
    return {
        "behaviour": "classroom",
        "client": chance.choice(["browser", "one"]),
        "network": chance.choice(["one", "one", "own", "carrier"]),
        "payment": chance.choice(["none", "none", "own"]),
    }


def _app(chance: Random) -> dict[str, Any]:
    return {
        "behaviour": "app",
        "network": chance.choice(["own", "own", "carrier", "proxy"]),
        "template": "group",
    }


def _launch(chance: Random) -> dict[str, Any]:
    return _app(chance) | {"client": "one", "age_days": (0.3, chance.uniform(2, 30))}


def _bulk(chance: Random) -> dict[str, Any]:
    return {
        "behaviour": "bulk",
        "roles": ("legit-bulk",),
        "network": chance.choice(["own", "own", "one", "proxy"]),
        "template": "group",
    }


def _outage(chance: Random) -> dict[str, Any]:
    return _bulk(chance) | {
        "profile": "flat",
        "requests_per_day": chance.uniform(100, 300),
        "duration_hours": chance.uniform(1, 3),
    }


def _agents(chance: Random) -> dict[str, Any]:
    return {
        "behaviour": "agentic",
        "roles": ("legit-bulk-tooluse", "legit-bulk"),
        "template": "group",
        "organization": chance.choice(["own", "none"]),
    }


def _framework(chance: Random) -> dict[str, Any]:
    made = chance.choice([_app, _bulk, _agents])(chance)
    return made | {"network": "own", "templates": chance.randint(2, 8)}


def _one_place(chance: Random) -> dict[str, Any]:
    """Draw what a group does that shares more than a program."""
    return chance.choice([_app, _app, _bulk, _agents, _harness])(chance) | {
        "network": "one",
        "templates": chance.choice([1, 1, 1, 3]),
    }


def _campus(chance: Random) -> dict[str, Any]:
    return _one_place(chance) | {"payment": chance.choice(["own", "none"])}


def _team(chance: Random) -> dict[str, Any]:
    return _one_place(chance) | {
        "network": chance.choice(["one", "own"]),
        "payment": "one",
        "payments": chance.randint(2, 6),
    }


def _proxied_app(chance: Random) -> dict[str, Any]:
    return _app(chance) | {"network": chance.choice(["proxy", "proxy", "carrier"])}


def _proxied_bulk(chance: Random) -> dict[str, Any]:
    return _bulk(chance) | {"network": "proxy"}


def _sites(chance: Random) -> dict[str, Any]:
    """Draw what a group does that is in several places."""
    made = chance.choice([_talk, _talk, _app, _bulk, _agents])(chance)
    return made | {
        "network": "one",
        "networks": chance.randint(2, 8),
        "roams": chance.random() < 0.5,
        "template": chance.choice(["account", "group"]),
        "organization": "none",
    }


def _talk(_chance: Random) -> dict[str, Any]:
    return {"behaviour": "interactive", "roles": ("legit-interactive",)}


def _branches(chance: Random) -> dict[str, Any]:
    return _sites(chance) | {"payment": "one", "payments": chance.randint(1, 8)}


def _agency(chance: Random) -> dict[str, Any]:
    made = chance.choice([_bulk, _agents])(chance)
    return _branches(chance) | made | {"network": "one", "organization": "none"}


def _coworking(chance: Random) -> dict[str, Any]:
    return _branches(chance) | {"networks": chance.randint(1, 3)}


def _dealer(chance: Random) -> dict[str, Any]:
    return _branches(chance) | {"client": "one", "age_days": (0.3, 30.0)}


def _school(chance: Random) -> dict[str, Any]:
    return _sites(chance) | {
        "payment": chance.choice(["own", "none"]),
        "age_days": (0.3, chance.uniform(4, 60)),
    }


def _club(chance: Random) -> dict[str, Any]:
    return _sites(chance) | {"payment": "own"}


def _company(chance: Random) -> dict[str, Any]:
    return _one_place(chance) | {
        "network": chance.choice(["one", "one", "own"]),
        "payment": "one",
        "organization": "none",
    }


def _reseller(chance: Random) -> dict[str, Any]:
    return _company(chance) | {"behaviour": "app", "network": "one", "client": "one"}


def _swarm(chance: Random) -> dict[str, Any]:
    return (
        _company(chance)
        | _agents(chance)
        | {
            "organization": "none",
            "client": "one",
            "spread": chance.uniform(0.1, 0.6),
        }
    )


_OF_KIND: Final = {
    "harness": _harness,
    "judge": _judge,
    "classroom": _classroom,
    "app": _app,
    "popular": _app,
    "launch": _launch,
    "bulk": _bulk,
    "outage": _outage,
    "agents": _agents,
    "framework": _framework,
    "campus": _campus,
    "team": _team,
    "proxied_app": _proxied_app,
    "proxied_bulk": _proxied_bulk,
    "company": _company,
    "reseller": _reseller,
    "swarm": _swarm,
    "branches": _branches,
    "agency": _agency,
    "coworking": _coworking,
    "dealer": _dealer,
    "school": _school,
    "club": _club,
}


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
    honest = [_cohort(chance, KINDS, at, _HOURS) for at in range(_CAMPAIGN_COHORTS)]
    campaigns = [_campaign(chance, number) for number in range(_CAMPAIGNS)]
    if kind == "one_site":
        campaigns = [_at_one_site(chance, campaign) for campaign in campaigns]
    elif kind == "untemplated":
        campaigns = [_untemplated(chance, campaign) for campaign in campaigns]
        honest += [
            _cohort(chance, SITES_KINDS, _CAMPAIGN_COHORTS + at, _HOURS)
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
    shape = chance.choice(["rubric", "reasoning", "tooluse", "coding", "instructions"])
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
    return Cohort(
        name=f"bystanders-of-{campaign.name}",
        accounts=chance.randint(10, 50),
        behaviour="interactive" if people else "bulk",
        requests_per_day=chance.uniform(5, 40),
        roles=("legit-interactive",) if people else ("legit-bulk",),
        network=campaign.facets.pool if proxied else elsewhere,
        client="browser" if people else "sdk",
        age_days=(0.3, chance.choice([8.0, 100.0, 900.0])),
        spread=chance.uniform(0.4, 1.2),
        borrows=campaign.name,
        borrows_all=chance.random() < 0.03,
        borrowed=chance.choice([0.1, 0.3, 0.6, 0.9]),
    )
