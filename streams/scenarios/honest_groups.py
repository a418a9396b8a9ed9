"""Honest groups of every kind, drawn at random: what a campaign is compared with.

Real groups are not random draws from one pool, so each group has its own size, rhythm,
network, client, payment, age and text.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from streams.scenarios.scenario import Campaign, Cohort, Templates

__all__ = [
    "KINDS",
    "SHARING_KINDS",
    "SITES_KINDS",
    "honest_cohort",
    "published_guide",
]

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

_GROUPS: Final = (8, 20)
"""Groups of a cohort, from and to."""
_SIZE: Final = (2.5, 0.8)
"""Mean and sigma of the logarithm of a group's accounts, besides the least ones."""
_LEAST, _LARGEST = 5, 120

_YOUNG_SITES: Final = 0.15
"""Share of the groups in several places that began within days: a lesson or a launch
does, and a firm with branches seldom."""

_SIGNED_UP_TOGETHER: Final = {
    *("classroom", "company", "swarm", "campus", "reseller"),
    *SITES_KINDS,
}
"""Kinds whose accounts may have been opened together, in a lesson or by a script: one
school or one payer stands behind them."""


def honest_cohort(
    chance: Random, kinds: tuple[str, ...], number: int, hours: int
) -> Cohort:
    """Draw some groups of one kind, in a population that lasts so many ``hours``.

    >>> cohort = honest_cohort(Random(3), ("classroom",), 0, 48)
    >>> cohort.name, cohort.behaviour, cohort.groups, cohort.accounts
    ('classroom-0', 'classroom', 17, 306)
    """
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


def published_guide(name: str, shape: str, templates: Templates) -> Campaign:
    """Make up what was published: wordings like a campaign's, which nobody runs.

    >>> published_guide("guide", "rubric", Templates(count=2)).accounts
    0
    """
    return Campaign(
        name=name,
        accounts=0,
        requests_per_day=(1, 1),
        shape=shape,  # type: ignore[arg-type]
        roles=("legit-bulk",),
        templates=templates,
    )


def _size(chance: Random) -> int:
    return min(round(chance.lognormvariate(*_SIZE)) + _LEAST, _LARGEST)


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
