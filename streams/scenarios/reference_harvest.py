"""What simulated populations give: looks at groups, and members of campaigns' groups.

A population is simulated and replayed whole. Its campaigns are taken for campaigns at
their first look, without any test, since the simulation knows them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from streams.campaigns.group import Group
from streams.campaigns.member_features import GroupProfile
from streams.contracts import iter_datums
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.replay import Pipeline, replay
from streams.policy.ladder import LADDER
from streams.scenarios.scenario import Scenario
from streams.scenarios.simulate import EVENTS, TRUTH, simulate

__all__ = ["Harvest", "Look", "Member", "harvest", "harvests", "nearest_looks"]

_MAJORITY: Final = 0.5
_POOLED_LOOKS: Final = 1
"""Neighbouring looks whose groups also serve a look: features change slowly with the
logarithm of a group's exchanges, and late looks are reached by few groups."""

Features = dict[str, float]


class Look(NamedTuple):
    """A group at a look; ``name`` is its campaign's, or an honest one's number."""

    population: int
    look: int
    number: int
    name: str
    features: Features
    campaign: bool


class Member(NamedTuple):
    """An account with templated exchanges in a group that is mostly a campaign's."""

    population: int
    account: str
    features: Features
    campaign: bool


class Harvest:
    """What populations gave: looks at groups, and members of campaigns' groups."""

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self.members: list[Member] = []

    def add(self, other: Harvest) -> None:
        """Take in what other populations gave."""
        self.looks += other.looks
        self.members += other.members


def harvests(
    scenarios: Sequence[Scenario],
    corpus: Path | None,
    jobs: int,
    step: str,
    progress: Callable[[str, int, int], None],
) -> Iterator[Harvest]:
    """Run populations in processes of their own, in order.

    Every other one uses the prompts of ``corpus``, if there is one.
    """
    corpora = [corpus if number % 2 else None for number in range(len(scenarios))]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        numbers = range(len(scenarios))
        found = pool.map(_run, scenarios, numbers, corpora)
        for number, one in enumerate(found):
            progress(step, number + 1, len(scenarios))
            yield one


def _run(scenario: Scenario, population: int, corpus: Path | None) -> Harvest:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        simulate(scenario, place, corpus=corpus)
        return harvest(place, population)


def harvest(place: Path, population: int) -> Harvest:
    """Replay a simulated population, and collect its looks and members."""
    found = Harvest()
    with (place / TRUTH).open(encoding="utf-8") as file:
        campaign_of = {
            row["account_id"]: row["campaign"] for row in csv.DictReader(file)
        }

    def campaign(group: Group) -> str:
        """Name the campaign that most accounts are of, or nobody: ""."""
        names = Counter(campaign_of.get(account) or "" for account in group.uses)
        name, count = names.most_common(1)[0]
        return name if count > _MAJORITY * len(group.uses) else ""

    def observe(_minute: int, look: int, features: Features, group: Group) -> bool:
        guilty = sum(bool(campaign_of.get(account)) for account in group.uses)
        # One campaign may have several groups; an honest group is named by its number.
        name = campaign(group) or str(group.number)
        hostile = bool(campaign(group))
        if hostile or guilty <= _MAJORITY * len(group.uses):
            # A wording of several campaigns is no example, neither of one nor of none.
            found.looks.append(
                Look(population, look, group.number, name, features, hostile)
            )
        return hostile

    pipeline = Pipeline()
    stages = [s for s in pipeline.stages["llm.links"] if isinstance(s, CampaignsStage)]
    for stage in stages:
        stage.tests.observer = observe
    for _ in replay(iter_datums(place / EVENTS), pipeline):
        pass
    for stage in stages:
        for group in stage.groups.by_number.values():
            if campaign(group) and not group.infrastructure:
                found.members += _members(stage, group, population, campaign_of)
    return found


def _members(
    stage: CampaignsStage,
    group: Group,
    population: int,
    campaign_of: Mapping[str, str],
) -> Iterator[Member]:
    """Describe a group's accounts as they are at the end, when they have done most."""
    profile = GroupProfile(stage.graph, group)
    for account, uses in group.uses.items():
        if uses >= LADDER[0].uses:
            guilty = bool(campaign_of.get(account))
            yield Member(population, account, profile.member(account), guilty)


def nearest_looks(looks: Iterable[Look], wanted: int) -> list[Look]:
    """Take for each group its look nearest to the wanted one, if near enough."""
    best: dict[tuple[int, int], Look] = {}
    for look in looks:
        distance = abs(look.look - wanted)
        key = (look.population, look.number)
        held = best.get(key)
        if distance <= _POOLED_LOOKS and (
            held is None or distance < abs(held.look - wanted)
        ):
            best[key] = look
    return list(best.values())
