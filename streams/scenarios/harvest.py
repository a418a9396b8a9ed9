"""Campaign accounts: what they harvest, how they pace it, share it out and move on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import numpy as np
from numpy.typing import NDArray

from streams.contracts.time_units import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from streams.scenarios import texts
from streams.scenarios.arrivals import Span, daily, lockstep, steady
from streams.scenarios.campaign_templates import campaign_templates
from streams.scenarios.chance import dice
from streams.scenarios.facets import (
    BROWSERS,
    SDKS,
    Build,
    Ids,
    draw_build,
    own_build,
)
from streams.scenarios.generators import expand
from streams.scenarios.manners import PERSON
from streams.scenarios.population import log_uniform
from streams.scenarios.scenario import Campaign
from streams.scenarios.templates import compose
from streams.scenarios.traffic import NO_CAMPAIGN, Account, Manner
from streams.scenarios.world import World

__all__ = ["CAMPAIGN_COHORT", "harvest"]

Ints = NDArray[np.int64]
CAMPAIGN_COHORT = "campaign"
"""Cohort of campaign accounts in ``truth.csv``."""
JITTER = 0.6
"""A load balancer's spacing is even up to this share of a spacing."""
STICKY = 3
"""Networks that an account of a campaign uses, at most."""
TOOL_SHAPES = frozenset({"tooluse", "coding"})


class _Gang:
    """What all accounts of one campaign share."""

    def __init__(self, world: World, campaign: Campaign, index: int) -> None:
        self.world = world
        self.campaign = campaign
        self.index = index
        self.rng = world.rng("campaign", campaign.name)
        self.words = dice(world.key("campaign", campaign.name))
        facets = campaign.facets
        self.templates = campaign_templates(campaign, self.words)
        self.fillings = _fillings(world, campaign, self.words)
        self.others = world.corpora.pool(campaign.mix_roles)
        own = [world.network("campaign", campaign.name, n)
               for n in range(facets.networks)]  # fmt: skip
        shared = world.pools[facets.pool].tolist() if facets.pool else []
        self.networks = np.array([*shared, *own], dtype=np.int64)
        self.rotate = facets.pool in world.rotating
        self.builds = _builds(self.rng, campaign, world.ids)
        self.payments = self._tokens("payment", facets.payments)
        self.organizations = self._tokens("organization", facets.organizations)
        tools = campaign.shape in TOOL_SHAPES
        self.tools = expand("{toolbox}", self.words) if tools else None
        self.manner = world.traffic.manner(self._manner())
        self.mixed = world.traffic.manner(PERSON)
        self.phase = int(self.rng.integers(0, MS_PER_HOUR))

    def _tokens(self, kind: str, count: int) -> list[str]:
        make, name = self.world.ids.make, self.campaign.name
        return [make(kind, "campaign", name, n, size=8) for n in range(count)]

    def _manner(self) -> Manner:
        count = self.tools.count('"name"') if self.tools else 0
        tools_hash = self.world.ids.make("tools", self.tools, size=8)
        return Manner(
            temperature=float(self.rng.choice((0.6, 0.7, 1.0))),
            max_tokens=int(self.rng.choice((2048, 4096, 8192))),
            tool_count=count,
            tools_hash=tools_hash if count else None,
            output_tokens=700.0,
            output_spread=0.6,
            reasoning=0.8 if self.campaign.shape in ("reasoning", "rubric") else 0.4,
        )


def _builds(rng: np.random.Generator, campaign: Campaign, ids: Ids) -> list[Build]:
    """Distinct client builds of a campaign, as many as there are."""
    facets = campaign.facets
    if facets.client == "one":
        return [own_build(rng, ids.make("group", "campaign", campaign.name, n, size=4))
                for n in range(facets.clients)]  # fmt: skip
    common = SDKS if facets.client == "sdk" else BROWSERS
    builds: list[Build] = []
    while len(builds) < min(facets.clients, len(common)):
        build = draw_build(rng, common)
        if build not in builds:
            builds.append(build)
    return builds


def _fillings(
    world: World, campaign: Campaign, words: Random
) -> Iterator[tuple[int, int]]:
    """Walk through the fillings pass after pass, each pass in a new order.

    Gives the index of a filling and of a second text to go with it.
    """
    size = len(world.corpora.pool(campaign.roles))
    order = list(range(size))
    while True:
        words.shuffle(order)
        for index in order:
            yield index, words.randrange(size)


def harvest(
    world: World,
    campaign: Campaign,
    index: int,
    on_account: Callable[[], None] = lambda: None,
) -> None:
    """Add a campaign's accounts and requests; ``index`` is its row in the scenario."""
    gang = _Gang(world, campaign, index)
    start = round(campaign.start_hour * MS_PER_HOUR)
    end = world.end
    if campaign.duration_hours is not None:
        end = min(end, start + round(campaign.duration_hours * MS_PER_HOUR))
    births = _births(gang, start)
    for slot in range(campaign.accounts):
        rate = float(gang.rng.uniform(*campaign.requests_per_day))
        for life, span in enumerate(_lives(gang, Span(start, end))):
            opened = births[slot // campaign.created_together]
            if life:
                lead = campaign.replacement.lead_hours if campaign.replacement else 0.0
                opened = span.start - float(gang.rng.uniform(0, lead)) * MS_PER_HOUR
            else:
                opened += float(gang.rng.uniform(0, MS_PER_HOUR / 2))
            _account(gang, (slot, life), span, rate, opened)
        on_account()


def _births(gang: _Gang, start: int) -> list[float]:
    """When each batch of accounts was opened, milliseconds since the start."""
    batches = -(-gang.campaign.accounts // gang.campaign.created_together)
    return [
        start - log_uniform(gang.rng, gang.campaign.age_days) * MS_PER_DAY
        for _ in range(batches)
    ]


def _lives(gang: _Gang, span: Span) -> Iterator[Span]:
    """Give the successive accounts of one slot; the first may be under way."""
    replacement = gang.campaign.replacement
    if replacement is None:
        yield span
        return
    low, high = replacement.after_hours
    begin = span.start
    first = True
    while begin < span.end:
        length = gang.rng.uniform(low, high) * MS_PER_HOUR
        if first:
            length *= gang.rng.uniform(0.2, 1.0)
            first = False
        yield Span(begin, min(span.end, begin + round(length)))
        begin += round(length)


def _account(
    gang: _Gang, seat: tuple[int, int], span: Span, rate: float, opened: float
) -> None:
    world, campaign, rng = gang.world, gang.campaign, gang.rng
    n = int(rng.poisson(rate * (span.end - span.start) / MS_PER_DAY))
    if not n:
        return
    name = ("campaign", campaign.name, *seat)
    times = _times(gang, n, span)
    guilty = rng.random(n) < campaign.mix_share
    row = world.traffic.account(
        Account(
            world.ids.make("account", *name),
            CAMPAIGN_COHORT,
            campaign.name,
            world.start + round(opened),
            _pick(gang.organizations, rng),
            _pick(gang.payments, rng) or world.ids.make("payment", *name, size=8),
            world.ids.make("key", *name, size=8),
        )
    )
    prompts = np.empty(n, dtype=np.int64)
    prompts[guilty] = _campaign_prompts(gang, int(guilty.sum()))
    chats = np.arange(int((~guilty).sum()))
    prompts[~guilty] = texts.chats(world.prompts, gang.others, chats, gang.words)
    world.traffic.add(
        row,
        times,
        prompts,
        manner=np.where(guilty, gang.manner, gang.mixed),
        model=_models(gang, times, guilty),
        network=_networks(gang, name, n),
        build=world.build(gang.builds[int(rng.integers(len(gang.builds)))]),
        campaign=np.where(guilty, gang.index, NO_CAMPAIGN),
    )


def _pick(tokens: list[str], rng: np.random.Generator) -> str | None:
    return tokens[int(rng.integers(len(tokens)))] if tokens else None


def _times(gang: _Gang, n: int, span: Span) -> Ints:
    campaign, rng = gang.campaign, gang.rng
    if campaign.pace == "lockstep":
        period = round(campaign.burst_minutes * MS_PER_MINUTE)
        return lockstep(rng, n, span, period, gang.phase % period)
    if campaign.pace == "diurnal":
        return daily(rng, n, span, "day", float(rng.uniform(-8.0, 9.0)))
    return steady(rng, n, span, JITTER)


def _campaign_prompts(gang: _Gang, n: int) -> list[int]:
    """Rows of ``n`` campaign prompts: the next fillings, in any of the templates."""
    pool = gang.world.corpora.pool(gang.campaign.roles)
    rows = []
    for _ in range(n):
        first, second = next(gang.fillings)
        said = compose(gang.campaign.shape, pool[first], pool[second])
        if gang.templates:
            said = gang.words.choice(gang.templates).fill(said, gang.words)
        rows.append(gang.world.prompts.add(said, tools=gang.tools))
    return rows


def _models(gang: _Gang, times: Ints, guilty: NDArray[np.bool_]) -> Ints:
    """Choose the campaign's model, then the new one; the mix like anybody's."""
    world, campaign, rng = gang.world, gang.campaign, gang.rng
    usual = campaign.model or max(
        world.scenario.models, key=lambda name: world.scenario.models[name]
    )
    models = world.ordinary_models(rng, times)
    models[guilty] = world.models.index(usual)
    pivot = campaign.pivot
    if pivot is not None:
        since = (times / MS_PER_HOUR - pivot.hour) / pivot.within_hours
        share = pivot.share * np.clip(since, 0.0, 1.0)
        moved = guilty & (rng.random(len(times)) < share)
        models[moved] = world.models.index(pivot.model)
    return models


def _networks(gang: _Gang, name: tuple[object, ...], n: int) -> Ints | int:
    if not len(gang.networks):
        return gang.world.network(*name)
    if gang.rotate:
        return gang.rng.choice(gang.networks, n)
    return gang.rng.choice(gang.rng.choice(gang.networks, STICKY), n)
