"""A scenario: who uses the API, and which campaigns hide among them; read from TOML.

A scenario file has top-level keys, ``[models]`` (name to popularity), ``[[release]]``
(a model that comes out at an hour, and the honest rush to it), ``[[pool]]`` (a named
set of networks that several cohorts and campaigns may share), ``[[cohort]]`` (ordinary
accounts) and ``[[campaign]]``. Every key is a field of a class below, with the same
name; an unknown key is an error that names the file and the key. Hours count from
``start``; shares are 0 to 1; ``[low, high]`` pairs are drawn from uniformly.

``base`` names a shipped scenario whose models, releases, pools and cohorts are taken
over, each cohort with ``base_scale`` times its accounts; own tables come on top, and
an own table of the same name replaces the base's.

``roles`` are read from the corpus folder; ``"a+b"`` takes both. A role that is not
there falls back to the next of the list, and at last to the scenario's own small
generators (:mod:`streams.scenarios.corpora`).
"""

from __future__ import annotations

import datetime as dt
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.errors import ScenarioError, ScenarioNotFound

__all__ = [
    "Behaviour",
    "Campaign",
    "CampaignFacets",
    "Cohort",
    "Pivot",
    "Pool",
    "Release",
    "Replacement",
    "Scenario",
    "Templates",
    "load",
    "shipped",
    "source",
]

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Behaviour = Literal["interactive", "bulk", "agentic", "harness", "classroom", "app"]


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A TOML table whose keys are exactly the fields."""


class Pool(_Table, frozen=True, kw_only=True):
    """A set of networks under one name, for example a proxy network or a carrier NAT.

    ``rotate``: each request leaves through any network of the pool; otherwise an
    account keeps to a few of them.
    """

    name: str
    networks: Count = 1
    rotate: bool = False


class Release(_Table, frozen=True, kw_only=True):
    """A model that comes out at ``hour``; ``adoption`` of the ordinary accounts try it.

    An adopter sends half its later requests to it, and within the first ``rush_hours``
    ``rush`` times its usual number of requests.
    """

    model: str
    hour: float
    adoption: Share = 0.2
    rush: Annotated[float, Meta(ge=1)] = 1.5
    rush_hours: Positive = 12.0


class Cohort(_Table, frozen=True, kw_only=True):
    """Ordinary accounts of one kind; ``groups`` splits them into unrelated groups.

    ``behaviour`` is what they send: ``interactive`` conversations, ``bulk`` jobs over
    an own template, ``agentic`` sessions with tools, a ``harness`` that runs one
    public test set, a ``classroom`` with one task, or one ``app``'s template.
    ``network``: ``own``, ``one`` for each group, or the name of a ``[[pool]]``;
    ``networks`` are those of a group that is on ``one``: an account keeps to one of
    them, or with ``roams`` to a few.
    ``client``: drawn from common ``browser`` or ``sdk`` builds, or ``one`` a group.
    ``payment``, ``organization``: each account's ``own``, ``one`` a group, or
    ``none``; ``payments`` are the tokens of a group that pays as ``one``.
    ``template``: a bulk template belongs to one ``account`` or the ``group``, whose
    program has so many ``templates``. ``spread`` is the sigma of the log-normal
    activity of accounts. ``created_together``: accounts of a group that were opened
    within half an hour. ``borrowed`` is the share of the requests that use wordings of
    the campaign ``borrows``, as if both had them from a public guide: each account
    knows one of them, or with ``borrows_all`` every one.
    """

    name: str
    accounts: Count
    requests_per_day: Positive
    behaviour: Behaviour = "interactive"
    roles: tuple[str, ...] = ("legit-interactive",)
    groups: Count = 1
    spread: Annotated[float, Meta(ge=0, le=3)] = 1.0
    age_days: tuple[Positive, Positive] = (1.0, 900.0)
    network: str = "own"
    networks: Count = 1
    roams: bool = False
    client: Literal["browser", "sdk", "one"] = "browser"
    payment: Literal["own", "one", "none"] = "own"
    organization: Literal["own", "one", "none"] = "none"
    payments: Count = 1
    template: Literal["account", "group"] = "account"
    templates: Count = 1
    created_together: Count = 1
    borrows: str = ""
    borrows_all: bool = False
    borrowed: Share = 0.3
    profile: Literal["day", "office", "flat"] = "day"
    utc_offset_hours: tuple[float, float] = (-8.0, 9.0)
    start_hour: Annotated[float, Meta(ge=0)] = 0.0
    duration_hours: Positive | None = None
    items: Count = 200
    adopts: bool = True


class Templates(_Table, frozen=True, kw_only=True):
    """How a campaign wraps its fillings.

    ``count`` wordings, each placed by one of ``wrap``, 0 for bare fillings;
    ``word_drop`` of the template's words are left out at random; a ``random_prefix``
    share of prompts starts with made-up words. ``public`` names public templates, as
    `distillwatch catalogue show` lists them, which are sent as they stand in the place
    of made-up wordings.
    """

    count: Annotated[int, Meta(ge=0)] = 3
    wrap: tuple[Literal["prefix", "suffix", "both", "system"], ...] = ("both",)
    word_drop: Share = 0.0
    random_prefix: Share = 0.0
    public: tuple[str, ...] = ()


class CampaignFacets(_Table, frozen=True, kw_only=True):
    """What the accounts of a campaign share; 0 means each account has its own.

    ``pool`` names a ``[[pool]]``, whose networks ordinary cohorts may use too;
    ``networks`` are further networks that only the campaign uses. ``clients`` are
    distinct SDK builds (client and TLS fingerprint go together).
    """

    pool: str = ""
    networks: Annotated[int, Meta(ge=0)] = 0
    clients: Annotated[int, Meta(ge=1)] = 1
    client: Literal["browser", "sdk", "one"] = "sdk"
    payments: Annotated[int, Meta(ge=0)] = 0
    organizations: Annotated[int, Meta(ge=0)] = 0


class Pivot(_Table, frozen=True, kw_only=True):
    """At ``hour`` ``share`` of the traffic moves to ``model``, ``within_hours``."""

    hour: float
    model: str
    share: Share = 0.5
    within_hours: Positive = 24.0


class Replacement(_Table, frozen=True, kw_only=True):
    """An account is retired after ``after_hours``; a new one takes its place.

    The new account was opened within the ``lead_hours`` before its first request.
    """

    after_hours: tuple[Positive, Positive]
    lead_hours: Positive = 6.0


class Campaign(_Table, frozen=True, kw_only=True):
    """Accounts that together harvest the model's outputs.

    ``accounts`` run at a time (with ``replacement``, more over time).
    ``requests_per_day`` is an account's whole traffic; ``mix_share`` of it is campaign
    traffic and the rest are prompts of ``mix_roles``. ``pace``: ``steady`` is a load
    balancer's even spacing, ``lockstep`` bursts of all accounts at once every
    ``burst_minutes``, ``diurnal`` mimics people.
    """

    name: str
    accounts: Count
    requests_per_day: tuple[Positive, Positive]
    shape: Literal[
        "rubric", "reasoning", "tooluse", "coding", "instructions", "coercion"
    ]
    roles: tuple[str, ...]
    mix_share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    mix_roles: tuple[str, ...] = ("legit-interactive",)
    templates: Templates = Templates()
    facets: CampaignFacets = CampaignFacets()
    age_days: tuple[Positive, Positive] = (0.5, 20.0)
    created_together: Count = 10
    pace: Literal["steady", "lockstep", "diurnal"] = "steady"
    burst_minutes: Positive = 20.0
    start_hour: Annotated[float, Meta(ge=0)] = 0.0
    duration_hours: Positive | None = None
    model: str = ""
    pivot: Pivot | None = None
    replacement: Replacement | None = None


class Scenario(_Table, frozen=True, kw_only=True):
    """A whole scenario; ``start`` is a fixed instant, so that runs can be compared."""

    name: str
    description: str
    start: dt.datetime
    duration_hours: Positive
    base: str = ""
    base_scale: Positive = 1.0
    models: dict[str, Positive] = msgspec.field(default_factory=dict)
    seed: int = 1
    release: tuple[Release, ...] = ()
    pool: tuple[Pool, ...] = ()
    cohort: tuple[Cohort, ...] = ()
    campaign: tuple[Campaign, ...] = ()


def shipped() -> tuple[str, ...]:
    """Names of the shipped scenarios, in alphabetical order.

    >>> "calm" in shipped()
    True
    """
    folder = resources.files("streams.scenarios") / "shipped"
    return tuple(
        sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))
    )


def source(name: str) -> tuple[str, bytes]:
    """Where a scenario comes from, and its TOML; ``name`` is shipped or a path.

    Raises `ScenarioNotFound` when it is neither.
    """
    if name in shipped():
        file = resources.files("streams.scenarios") / "shipped" / f"{name}.toml"
        return f"shipped/{name}.toml", file.read_bytes()
    path = Path(name)
    if not path.is_file():
        raise ScenarioNotFound(
            f"{name!r} is neither a TOML file nor one of the shipped scenarios: "
            f"{', '.join(shipped())}"
        )
    return str(path), path.read_bytes()


def load(name: str) -> Scenario:
    """Read and check a scenario; raise `ScenarioError` that names the file and key.

    >>> load("calm").campaign
    ()
    """
    place, text = source(name)
    try:
        scenario = msgspec.toml.decode(text, type=Scenario)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{place}: {error}") from error
    if scenario.base:
        scenario = _on_base(place, scenario)
    _check(place, scenario)
    return scenario


def _on_base(place: str, scenario: Scenario) -> Scenario:
    """Merge a scenario with the shipped one it builds on."""
    if scenario.base not in shipped():
        raise ScenarioError(
            f"{place}: base = {scenario.base!r} is not shipped: {', '.join(shipped())}"
        )
    base = load(scenario.base)
    scaled = [
        msgspec.structs.replace(
            cohort,
            accounts=max(cohort.groups, round(cohort.accounts * scenario.base_scale)),
        )
        for cohort in base.cohort
    ]
    cohorts = {cohort.name: cohort for cohort in (*scaled, *scenario.cohort)}
    pools = {pool.name: pool for pool in (*base.pool, *scenario.pool)}
    return msgspec.structs.replace(
        scenario,
        models=scenario.models or base.models,
        release=scenario.release or base.release,
        pool=tuple(pools.values()),
        cohort=tuple(cohorts.values()),
    )


def _check(place: str, scenario: Scenario) -> None:
    """Check what spans several tables: references, unique names, time zone."""
    if scenario.start.tzinfo is None:
        raise ScenarioError(
            f"{place}: start has no time zone; write 2026-03-02T00:00:00Z"
        )
    if not scenario.cohort and not scenario.campaign:
        raise ScenarioError(f"{place}: no [[cohort]] and no [[campaign]]")
    if not scenario.models:
        raise ScenarioError(f"{place}: [models] is empty")
    for key in ("pool", "cohort", "campaign"):
        names = [table.name for table in getattr(scenario, key)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ScenarioError(f"{place}: two [[{key}]] are called {twice!r}")
    pools = {pool.name for pool in scenario.pool}
    for cohort in scenario.cohort:
        where = f"cohort {cohort.name!r}"
        if cohort.network not in pools | {"own", "one"}:
            raise ScenarioError(
                f"{place}: {where}: network = {cohort.network!r} is not own, one or "
                f"a [[pool]] ({', '.join(sorted(pools)) or 'none'})"
            )
        if cohort.groups > cohort.accounts:
            raise ScenarioError(f"{place}: {where}: more groups than accounts")
        _check_hours(place, where, cohort.start_hour, scenario)
        _check_pair(place, where, "age_days", cohort.age_days)
        _check_pair(place, where, "utc_offset_hours", cohort.utc_offset_hours)
        _check_lender(place, where, cohort.borrows, scenario)
    for campaign in scenario.campaign:
        _check_campaign(place, campaign, scenario, pools)


def _check_lender(place: str, where: str, name: str, scenario: Scenario) -> None:
    if name not in {"", *(campaign.name for campaign in scenario.campaign)}:
        raise ScenarioError(f"{place}: {where}: no [[campaign]] is called {name!r}")


def _check_campaign(
    place: str, campaign: Campaign, scenario: Scenario, pools: set[str]
) -> None:
    where = f"campaign {campaign.name!r}"
    if campaign.facets.pool not in pools | {""}:
        raise ScenarioError(
            f"{place}: {where}: no [[pool]] is called {campaign.facets.pool!r}"
        )
    _check_pair(place, where, "requests_per_day", campaign.requests_per_day)
    _check_pair(place, where, "age_days", campaign.age_days)
    if campaign.replacement is not None:
        _check_pair(place, where, "after_hours", campaign.replacement.after_hours)
    _check_hours(place, where, campaign.start_hour, scenario)


def _check_pair(place: str, where: str, key: str, pair: tuple[float, float]) -> None:
    if pair[0] > pair[1]:
        raise ScenarioError(
            f"{place}: {where}: {key} = [{pair[0]:g}, {pair[1]:g}] falls"
        )


def _check_hours(place: str, where: str, hour: float, scenario: Scenario) -> None:
    if hour >= scenario.duration_hours:
        raise ScenarioError(
            f"{place}: {where}: start_hour = {hour:g} is not before the end of the "
            f"scenario at hour {scenario.duration_hours:g}"
        )
