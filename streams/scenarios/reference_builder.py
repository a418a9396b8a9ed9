"""Build the frozen reference: simulate populations, collect looks, fit the prior.

1. Campaign populations: fit the likeness of groups and of members with River, and
   score the bystanders.
2. Benign populations: score every group at every look with that prior.

The likeness of accounts is that of the shipped reference: the groups' likeness is
measured with it, so a new one would have to come before everything else.

Half of the populations are built on the corpus, where one is given, and half on the
scenarios' own generators, so that the reference leans on neither.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from streams.campaigns.group import Group
from streams.campaigns.group_features import FEATURES
from streams.campaigns.member_features import GroupProfile
from streams.contracts import iter_datums
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.replay import Pipeline, replay
from streams.models.evidence import RankedScores
from streams.models.likeness import Likeness
from streams.models.reference import (
    DETECTORS,
    GROUP_LOOKS,
    STRATA,
    Prior,
    Reference,
    detector_scores,
    digest,
    load_reference,
    stratum_of,
)
from streams.policy.ladder import LADDER
from streams.scenarios.reference_populations import (
    SHARING_KINDS,
    SITES_KINDS,
    benign_population,
    campaign_population,
)
from streams.scenarios.scenario import Scenario
from streams.scenarios.simulate import EVENTS, TRUTH, simulate

__all__ = ["Harvest", "assemble", "build_reference", "harvest"]

_LIKENESS_WEIGHT: Final = 1.0
"""Weight of the content's likeness in the joint score, capped by hand: on campaigns
and bulk jobs that were never seen, content tells next to nothing."""

_FITTED_ON: Final = {"one_site": "sharing"}
"""Few campaigns have a single payment or network: too few to fit a prior on."""
_UNFITTED: Final = frozenset({"likeness", "payer", "place"})
_STEPS: Final = 150_000
"""Pairs of examples that a fit learns from, over and over where there are few."""
_MAJORITY: Final = 0.5
_EXPLAINING_RANKS: Final = 8
_POOLED_LOOKS: Final = 1
"""Neighbouring looks whose groups also serve a look: features change slowly with the
logarithm of a group's exchanges, and late looks are reached by few groups."""

Features = dict[str, float]
Example = tuple[Features, bool]


class _Look(NamedTuple):
    population: int
    look: int
    number: int
    features: Features
    campaign: bool


class _Member(NamedTuple):
    """An account with templated exchanges in a group that is mostly a campaign's."""

    population: int
    account: str
    features: Features
    campaign: bool


class Harvest:
    """What populations gave: looks at groups, and members of campaigns' groups."""

    def __init__(self) -> None:
        self.looks: list[_Look] = []
        self.members: list[_Member] = []

    def add(self, other: Harvest) -> None:
        """Take in what other populations gave."""
        self.looks += other.looks
        self.members += other.members


def build_reference(
    *,
    version: str,
    benign: int,
    campaigns: int,
    corpus: Path | None = None,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Build the content of reference.json from so many populations of each kind."""
    hostile = [campaign_population(10_000 + seed) for seed in range(campaigns)]
    honest = [benign_population(20_000 + seed) for seed in range(benign)]
    honest += [
        benign_population(30_000 + seed, SHARING_KINDS) for seed in range(benign)
    ]
    # Odd seeds: many groups for a day, as these are tested at early looks.
    honest += [
        benign_population(40_001 + 2 * seed, SITES_KINDS) for seed in range(benign)
    ]
    return assemble(
        version,
        _run_all(hostile, corpus, jobs, "campaign populations", progress),
        _run_all(honest, corpus, jobs, "benign populations", progress),
    )


def assemble(
    version: str, hostile: Iterable[Harvest], honest: Iterable[Harvest]
) -> dict[str, Any]:
    """Make the content of reference.json from what populations gave."""
    labelled, benign = Harvest(), Harvest()
    for harvest in hostile:
        labelled.add(harvest)
    for harvest in honest:
        benign.add(harvest)
    group = {
        stratum: _group_prior(labelled.looks, _FITTED_ON.get(stratum, stratum))
        for stratum in STRATA
    }
    member = _prior(_fit([(each.features, each.campaign) for each in labelled.members]))
    content = msgspec.to_builtins(
        Reference(
            version=version,
            account=load_reference().account,
            group=group,
            member=member,
            groups=_group_scores(benign.looks, group),
            features=_feature_scores(benign.looks),
            bystanders=RankedScores.of(_bystander_scores(labelled.members, member)),
        )
    )
    content["digest"] = digest(content)
    return dict(content)


def _run_all(
    scenarios: list[Scenario],
    corpus: Path | None,
    jobs: int,
    step: str,
    progress: Callable[[str, int, int], None],
) -> Iterator[Harvest]:
    """Run populations in processes of their own, in order."""
    corpora = [corpus if number % 2 else None for number in range(len(scenarios))]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        numbers = range(len(scenarios))
        harvests = pool.map(_run, scenarios, numbers, corpora)
        for number, found in enumerate(harvests):
            progress(step, number + 1, len(scenarios))
            yield found


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

    def hostile(group: Group) -> bool:
        guilty = sum(bool(campaign_of.get(account)) for account in group.uses)
        return guilty > _MAJORITY * len(group.uses)

    def observe(_minute: int, look: int, features: Features, group: Group) -> bool:
        guilty = hostile(group)
        found.looks.append(_Look(population, look, group.number, features, guilty))
        return guilty

    pipeline = Pipeline()
    stages = [s for s in pipeline.stages["llm.links"] if isinstance(s, CampaignsStage)]
    for stage in stages:
        stage.observer = observe
    for _ in replay(iter_datums(place / EVENTS), pipeline):
        pass
    for stage in stages:
        for group in stage.groups.by_number.values():
            if hostile(group) and not group.infrastructure:
                found.members += _members(stage, group, population, campaign_of)
    return found


def _members(
    stage: CampaignsStage,
    group: Group,
    population: int,
    campaign_of: Mapping[str, str],
) -> Iterator[_Member]:
    """Describe a group's accounts as they are at the end, when they have done most."""
    profile = GroupProfile(stage.graph, group)
    for account, uses in group.uses.items():
        if uses >= LADDER[0].uses:
            guilty = bool(campaign_of.get(account))
            yield _Member(population, account, profile.member(account), guilty)


def _bystander_scores(members: list[_Member], prior: Prior) -> Iterable[float]:
    """Score the ordinary accounts of campaigns' groups; keep each one's worst."""
    model = prior.model()
    worst: dict[tuple[int, str], float] = {}
    for each in members:
        if not each.campaign:
            key, score = (each.population, each.account), model.log_odds(each.features)
            worst[key] = max(worst.get(key, score), score)
    return worst.values()


def _fit(examples: list[Example]) -> Likeness:
    """Fit River's logistic regression; what is measured may only add to suspicion.

    Both classes get the same total weight by repeating the rarer one.
    """
    model = Likeness({}, intercept=0.0, rate=0.05)
    guilty = [example for example in examples if example[1]]
    honest = [example for example in examples if not example[1]]
    size = max(len(guilty), len(honest))
    chance = Random(1)  # noqa: S311 - order of learning, not cryptography
    for _ in range(-(-_STEPS // size)):
        epoch = [
            (guilty[n % len(guilty)], honest[n % len(honest)]) for n in range(size)
        ]
        chance.shuffle(epoch)
        for pair in epoch:
            for features, label in pair:
                model.learn(features, distillation=label)
        # Negative weights would be easy to earn: a campaign could clear itself.
        weights = {name: max(weight, 0.0) for name, weight in model.weights.items()}
        model.set_weights(weights)
    return model


def _links_only(look: _Look) -> Features:
    """Leave out content, which would learn the corpora, and what tells the stratum."""
    return {name: x for name, x in look.features.items() if name not in _UNFITTED}


def _prior(model: Likeness) -> Prior:
    weights = {name: round(weight, 4) for name, weight in model.weights.items()}
    return Prior(dict(sorted(weights.items())), round(model.intercept, 4))


def _nearest(looks: list[_Look], wanted: int) -> list[_Look]:
    """Take for each group its look nearest to the wanted one, if near enough."""
    best: dict[tuple[int, int], _Look] = {}
    for look in looks:
        distance = abs(look.look - wanted)
        key = (look.population, look.number)
        held = best.get(key)
        if distance <= _POOLED_LOOKS and (
            held is None or distance < abs(held.look - wanted)
        ):
            best[key] = look
    return list(best.values())


def _group_prior(looks: list[_Look], stratum: str) -> Prior:
    """Fit the prior of a stratum; content has its weight by hand."""
    model = _fit(
        [
            (_links_only(look), look.campaign)
            for look in looks
            if stratum_of(look.features) == stratum
        ]
    )
    model.set_weights({**model.weights, "likeness": _LIKENESS_WEIGHT})
    return _prior(model)


def _group_scores(
    looks: list[_Look], priors: Mapping[str, Prior]
) -> list[dict[str, dict[str, RankedScores]]]:
    models = {stratum: prior.model() for stratum, prior in priors.items()}
    table = []
    for wanted in range(len(GROUP_LOOKS)):
        scores: dict[str, dict[str, list[float]]] = {
            stratum: {name: [] for name in ("joint", *DETECTORS)} for stratum in STRATA
        }
        for unit in _nearest(looks, wanted):
            stratum = stratum_of(unit.features)
            of_stratum = scores[stratum]
            of_stratum["joint"].append(models[stratum].log_odds(unit.features))
            for name, score in detector_scores(unit.features).items():
                of_stratum[name].append(score)
        table.append(
            {
                stratum: {name: RankedScores.of(some) for name, some in values.items()}
                for stratum, values in scores.items()
            }
        )
    return table


def _feature_scores(looks: list[_Look]) -> list[dict[str, RankedScores]]:
    return [
        {
            name: RankedScores.of(
                (unit.features[name] for unit in _nearest(looks, wanted) or looks),
                _EXPLAINING_RANKS,
            )
            for name in FEATURES
        }
        for wanted in range(len(GROUP_LOOKS))
    ]
