"""Ordinary accounts: who they are, when they call, from where, and how."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streams.contracts.time_units import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from streams.scenarios import texts
from streams.scenarios.arrivals import Span, daily, jobs, sessions
from streams.scenarios.campaign_templates import campaign_templates
from streams.scenarios.chance import dice
from streams.scenarios.facets import BROWSERS, SDKS, draw_build, own_build
from streams.scenarios.generators import expand
from streams.scenarios.manners import manner_of
from streams.scenarios.scenario import Cohort, Release
from streams.scenarios.templates import Template
from streams.scenarios.traffic import Account
from streams.scenarios.world import World

__all__ = ["log_uniform", "populate"]

Ints = NDArray[np.int64]
NEWCOMERS = 0.04
"""Share of ordinary accounts that open during the scenario."""
ROAMING = 0.2
"""Share of a person's conversations from a carrier's network instead of home."""
STICKY = 2
"""Networks of a pool that an account keeps to, at most."""
CHAT_TURNS, CHAT_GAP = 2.6, 70.0
"""Mean requests of a conversation, and median seconds between them."""
AGENT_CALLS, AGENT_GAP = 14.0, 9.0
"""Mean calls of an agent's session, and median seconds between them."""
LESSON = 50 * MS_PER_MINUTE
"""Length of a lesson, ms."""
WHOLE_RUN = 0.7
"""Share of the accounts with a test set that run it from its first item."""


def log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draw between the bounds, evenly on a logarithmic scale."""
    low, high = np.log(bounds[0]), np.log(bounds[1])
    return float(np.exp(rng.uniform(low, high)))


def borrowed_templates(world: World, name: str) -> list[Template]:
    """Give the wordings of a campaign; none for no name.

    They are the first thing drawn from the campaign's own stream of chance.
    """
    for campaign in world.scenario.campaign:
        if campaign.name == name:
            return campaign_templates(
                campaign, dice(world.key("campaign", campaign.name))
            )
    return []


def populate(
    world: World, cohort: Cohort, on_account: Callable[[], None] = lambda: None
) -> None:
    """Add a cohort's accounts and requests to the world's traffic."""
    crowd = _Crowd(world, cohort)
    groups = [_Group(crowd, number) for number in range(cohort.groups)]
    for number in range(cohort.accounts):
        crowd.account(groups[number % cohort.groups], number)
        on_account()


class _Group:
    """What the accounts of one group share."""

    def __init__(self, crowd: _Crowd, number: int) -> None:
        world, cohort = crowd.world, crowd.cohort
        rng, words = crowd.rng, crowd.words
        label = world.ids.make("group", cohort.name, number, size=4)
        self.build = own_build(rng, label) if cohort.client == "one" else None
        self.networks: list[int] = []
        if cohort.network == "one":
            self.networks = [world.network("group", cohort.name, number)]
            self.networks += [
                world.network("group", cohort.name, number, other)
                for other in range(1, cohort.networks)
            ]
        self.payments = [world.ids.make("payment", cohort.name, number, size=8)]
        self.payments += [
            world.ids.make("payment", cohort.name, number, other, size=8)
            for other in range(1, cohort.payments)
        ]
        self.organization = world.ids.make("organization", cohort.name, number, size=8)
        self.offset = float(rng.uniform(*cohort.utc_offset_hours))
        self.kit: texts.Kit | None = None
        self.rows = np.zeros(0, dtype=np.int64)
        if cohort.behaviour in {"bulk", "agentic", "app"}:
            self.kit = crowd.kit(cohort.templates)
        elif cohort.behaviour == "harness":
            items = words.choice(world.corpora.sets(cohort.roles))
            self.rows = texts.test_set(world.prompts, items, cohort.items, words)
        elif cohort.behaviour == "classroom":
            self.task = expand(words.choice(("{exercise}", "{problem}")), words)
            self.lessons = daily(rng, 2, Span(0, world.end - LESSON), "office", 0.0)
        self.manner = crowd.manner(self.kit)


class _Crowd:
    """Makes the accounts of one cohort, from random streams of its own."""

    def __init__(self, world: World, cohort: Cohort) -> None:
        self.world = world
        self.cohort = cohort
        self.rng = world.rng("cohort", cohort.name)
        self.words = dice(world.key("cohort", cohort.name))
        start = round(cohort.start_hour * MS_PER_HOUR)
        end = world.end
        if cohort.duration_hours is not None:
            end = min(end, start + round(cohort.duration_hours * MS_PER_HOUR))
        self.span = Span(start, end)
        self.births: dict[tuple[int, int], float] = {}
        self.borrowed = borrowed_templates(world, cohort.borrows)

    def kit(self, templates: int = 1) -> texts.Kit:
        """Make up a program of this cohort's kind, with so many templates."""
        cohort = self.cohort
        shape = "agent" if cohort.behaviour == "agentic" else cohort.behaviour
        sets = self.world.corpora.sets(cohort.roles)
        return texts.kit(shape, sets, self.words, templates)

    def manner(self, kit: texts.Kit | None) -> int:
        """Row of a new manner of calling."""
        manner = manner_of(self.cohort.behaviour, kit, self.world.ids, self.rng)
        return self.world.traffic.manner(manner)

    def account(self, group: _Group, number: int) -> None:
        """Make one account and its requests; one that never calls is left out."""
        world, cohort, rng = self.world, self.cohort, self.rng
        name = (cohort.name, number)
        span, opened = self.span, self._opened(number)
        if cohort.network == "own" and rng.random() < NEWCOMERS:
            opened = float(rng.uniform(span.start, (span.start + span.end) / 2))
            span = Span(round(opened), span.end)
        activity = rng.lognormal(-(cohort.spread**2) / 2, cohort.spread)
        days = (span.end - span.start) / MS_PER_DAY
        n = int(rng.poisson(cohort.requests_per_day * days * activity))
        if not n:
            return
        offset = group.offset
        if cohort.network == "own":
            offset = float(rng.uniform(*cohort.utc_offset_hours))
        adopted = world.adopted(rng) if cohort.adopts else []
        times, session = self._times(group, n, span, offset)
        for release in adopted:
            rush = self._rush(group, release, n / days, offset)
            session = np.concatenate([session, rush[1] + session.max() + 1])
            times = np.concatenate([times, rush[0]])
        order = np.argsort(times, kind="stable")
        times, session = times[order], session[order]
        inside = times < world.end
        times, session = times[inside], session[inside]
        if not len(times):
            return
        browser = cohort.client == "browser"
        row = world.traffic.account(
            Account(
                id=world.ids.make("account", *name),
                cohort=cohort.name,
                campaign="",
                created_at=world.start + round(opened),
                organization=self._owned(
                    cohort.organization, "organization", name, group.organization
                ),
                payment=self._owned(
                    cohort.payment,
                    "payment",
                    name,
                    group.payments[number // cohort.groups % cohort.payments],
                ),
                api_key=None if browser else world.ids.make("key", *name, size=8),
            )
        )
        prompts, manner = self._prompts(group, session)
        if self.borrowed:
            self._borrow(prompts)
        build = group.build or draw_build(rng, BROWSERS if browser else SDKS)
        talks = cohort.behaviour in {"interactive", "classroom", "app"}
        world.traffic.add(
            row,
            times,
            prompts,
            manner=manner,
            model=world.ordinary_models(rng, times, adopted),
            network=self._network(group, name, session),
            build=world.build(build),
            session=session if talks else None,
        )

    def _opened(self, number: int) -> float:
        """Draw when an account was opened, ms since the start."""
        cohort, rng = self.cohort, self.rng
        together = cohort.created_together
        if together == 1:
            return -log_uniform(rng, cohort.age_days) * MS_PER_DAY
        batch = number % cohort.groups, number // cohort.groups // together
        if batch not in self.births:
            self.births[batch] = -log_uniform(rng, cohort.age_days) * MS_PER_DAY
        return self.births[batch] + float(rng.uniform(0, MS_PER_HOUR / 2))

    def _borrow(self, prompts: Ints) -> None:
        """Put wordings of a campaign around some of an account's prompts."""
        world, words, cohort = self.world, self.words, self.cohort
        known = self.borrowed
        if not cohort.borrows_all:
            known = [words.choice(known)]
        pool = world.corpora.pool(cohort.roles)
        for at in range(len(prompts)):
            if words.random() < cohort.borrowed:
                said = words.choice(known).fill(words.choice(pool), words)
                prompts[at] = world.prompts.add(said)

    def _owned(
        self, rule: str, kind: str, name: tuple[str, int], shared: str
    ) -> str | None:
        if rule == "none":
            return None
        return shared if rule == "one" else self.world.ids.make(kind, *name, size=8)

    def _times(
        self, group: _Group, n: int, span: Span, offset: float
    ) -> tuple[Ints, Ints]:
        """Draw the times of an account's requests, and the session of each."""
        rng, behaviour = self.rng, self.cohort.behaviour
        alone = np.zeros(n, dtype=np.int64)
        if behaviour in {"interactive", "app", "classroom"}:
            lengths = _lengths(rng, n, CHAT_TURNS)
            starts = daily(rng, len(lengths), span, self.cohort.profile, offset)
            if behaviour == "classroom":
                lesson = rng.choice(group.lessons, len(lengths))
                starts = np.sort(lesson + rng.integers(0, LESSON, len(lengths)))
            return sessions(rng, starts, lengths, CHAT_GAP)
        if behaviour == "agentic":
            lengths = _lengths(rng, n, AGENT_CALLS)
            starts = self._machine(len(lengths), span, offset)
            return sessions(rng, starts, lengths, AGENT_GAP)
        if behaviour == "harness":
            start = daily(rng, 1, span, self.cohort.profile, offset)
            gaps = rng.exponential(rng.uniform(500, 4000), n)
            return start + np.cumsum(gaps).astype(np.int64), alone
        return self._machine(n, span, offset), alone

    def _rush(
        self, group: _Group, release: Release, per_day: float, offset: float
    ) -> tuple[Ints, Ints]:
        """Draw what an adopter sends on top of its usual requests after a release."""
        start = round(release.hour * MS_PER_HOUR)
        span = Span(
            start, min(self.world.end, start + round(release.rush_hours * MS_PER_HOUR))
        )
        more = per_day * (release.rush - 1) * max(span.end - span.start, 0) / MS_PER_DAY
        n = int(self.rng.poisson(more))
        if not n:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        return self._times(group, n, span, offset)

    def _machine(self, n: int, span: Span, offset: float) -> Ints:
        """Draw a program's times: a measured client's record, else batch jobs."""
        rng = self.rng
        if self.world.rates is not None:
            return self.world.rates.draw(rng, n, span)
        runs = daily(rng, int(rng.integers(2, 9)), span, self.cohort.profile, offset)
        return jobs(rng, n, span, runs)

    def _prompts(self, group: _Group, session: Ints) -> tuple[Ints, int]:
        """Rows of the prompts of an account's requests, and its manner of calling."""
        table, words, cohort = self.world.prompts, self.words, self.cohort
        if cohort.behaviour == "harness":
            items = len(group.rows)
            first = 0 if words.random() < WHOLE_RUN else words.randrange(items)
            return group.rows[(first + np.arange(len(session))) % items], group.manner
        if cohort.behaviour == "classroom":
            return texts.classroom(table, group.task, session, words), group.manner
        if cohort.behaviour == "interactive":
            pool = self.world.corpora.pool(cohort.roles)
            return texts.chats(table, pool, session, words), group.manner
        kit, manner = group.kit, group.manner
        if kit is None or cohort.template == "account":
            kit = self.kit()
            manner = self.manner(kit)
        if cohort.behaviour == "app":
            rows = texts.chats(table, kit.documents, session, words, kit.template)
        elif cohort.behaviour == "agentic":
            rows = texts.agentic(table, kit, session, words)
        else:
            rows = texts.filled(table, kit, len(session), words)
        return rows, manner

    def _network(
        self, group: _Group, name: tuple[str, int], session: Ints
    ) -> Ints | int:
        """Draw each request's network: a group's, a pool's, or home and a carrier's."""
        world, rng, cohort = self.world, self.rng, self.cohort
        count = int(session.max()) + 1
        if len(group.networks) > 1:
            kept = rng.choice(group.networks, STICKY if cohort.roams else 1)
            return rng.choice(kept, count)[session]
        if group.networks:
            return group.networks[0]
        if cohort.network in world.pools:
            networks = world.pools[cohort.network]
            if cohort.network not in world.rotating:
                networks = rng.choice(networks, STICKY)
            return rng.choice(networks, count)[session]
        home = world.network(*name)
        if cohort.client != "browser":
            return home
        away = rng.random(count) < ROAMING
        return np.where(away, rng.choice(world.mobile), home)[session]


def _lengths(rng: np.random.Generator, n: int, mean: float) -> Ints:
    """Draw session lengths that sum to ``n``, geometric with this mean."""
    lengths = rng.geometric(1 / mean, n)
    ends = np.cumsum(lengths)
    count = int(np.searchsorted(ends, n)) + 1
    lengths = lengths[:count]
    lengths[-1] -= ends[count - 1] - n
    return lengths.astype(np.int64)
