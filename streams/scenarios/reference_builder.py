"""Build the frozen reference: simulate populations, collect looks, fit the prior.

1. Campaign populations: fit the account and the group likeness with River.
2. Benign populations: score every group at every look with that prior.

Half of the populations are built on the corpus, where one is given, and half on the
scenarios' own generators, so that the reference leans on neither.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
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
from streams.engine.accounts_stage import LOOKS, AccountsStage
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.replay import Pipeline, replay
from streams.models.evidence import RankedScores
from streams.models.likeness import Likeness, account_features
from streams.models.reference import (
    DETECTORS,
    GROUP_LOOKS,
    Prior,
    Reference,
    detector_scores,
    digest,
)
from streams.policy.ladder import LADDER
from streams.scenarios.reference_populations import (
    benign_population,
    campaign_population,
)
from streams.scenarios.scenario import Scenario
from streams.scenarios.simulate import EVENTS, TRUTH, simulate

__all__ = ["build_reference"]

MEMBER_PRIOR: Final = Prior(
    {
        "cohort": 1.5,
        "infrastructure": 3.0,
        "share": 1.0,
        "templates": 1.0,
        "uses": 2.0,
        "young": 0.5,
    },
    -4.0,
)
"""Set by hand: simulated campaigns link too few bystanders to fit it. It only orders
accounts; how unusual a score is among ordinary accounts is counted, not assumed."""

_LIKENESS_WEIGHT: Final = 1.0
"""Weight of the content's likeness in the joint score, capped by hand: on campaigns
and bulk jobs that were never seen, content tells next to nothing."""

_EPOCHS: Final = 30
_MAJORITY: Final = 0.5
_GATE_PERCENTILE: Final = 0.99
_EXPLAINING_RANKS: Final = 8
_POOLED_LOOKS: Final = 1
"""Neighbouring looks whose groups also serve a look: features change slowly with the
logarithm of a group's exchanges, and late looks are reached by few groups."""


class _Look(NamedTuple):
    population: int
    look: int
    number: int
    features: dict[str, float]
    campaign: bool


class _Harvest:
    """What the populations gave so far."""

    def __init__(self) -> None:
        self.looks: list[_Look] = []
        self.accounts: list[tuple[dict[str, float], bool]] = []
        self.bystanders: list[float] = []

    def add(self, other: _Harvest) -> None:
        self.looks += other.looks
        self.accounts += other.accounts
        self.bystanders += other.bystanders


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
    labelled = _Harvest()
    hostile = [campaign_population(10_000 + seed) for seed in range(campaigns)]
    for harvest in _run_all(hostile, corpus, jobs, "campaign populations", progress):
        labelled.add(harvest)
    account = _at_percentile(_fit(labelled.accounts), labelled.accounts)
    group = _fit([(_links_only(look), look.campaign) for look in labelled.looks])
    group.set_weights({**group.weights, "likeness": _LIKENESS_WEIGHT})
    reference = _Harvest()
    honest = [benign_population(20_000 + seed) for seed in range(benign)]
    for harvest in _run_all(honest, corpus, jobs, "benign populations", progress):
        reference.add(harvest)
    content = msgspec.to_builtins(
        Reference(
            version=version,
            account=_prior(account),
            group=_prior(group),
            member=MEMBER_PRIOR,
            groups=_group_scores(reference.looks, group),
            features=_feature_scores(reference.looks),
            bystanders=RankedScores.of(labelled.bystanders),
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
) -> Iterator[_Harvest]:
    """Run populations in processes of their own, in order."""
    corpora = [corpus if number % 2 else None for number in range(len(scenarios))]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        numbers = range(len(scenarios))
        harvests = pool.map(_run, scenarios, numbers, corpora)
        for number, harvest in enumerate(harvests):
            progress(step, number + 1, len(scenarios))
            yield harvest


def _run(scenario: Scenario, population: int, corpus: Path | None) -> _Harvest:
    harvest = _Harvest()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        simulate(scenario, place, corpus=corpus)
        with (place / TRUTH).open(encoding="utf-8") as file:
            campaign_of = {
                row["account_id"]: row["campaign"] for row in csv.DictReader(file)
            }
        pipeline = Pipeline()

        def observe(
            _minute: int, look: int, features: dict[str, float], group: Group
        ) -> None:
            share = sum(bool(campaign_of.get(a)) for a in group.uses) / len(group.uses)
            harvest.looks.append(
                _Look(population, look, group.number, features, share > _MAJORITY)
            )

        for stage in pipeline.stages["llm.links"]:
            if isinstance(stage, CampaignsStage):
                stage.observer = observe
        for _ in replay(iter_datums(place / EVENTS), pipeline):
            pass
    _collect_accounts(pipeline, campaign_of, harvest)
    return harvest


def _collect_accounts(
    pipeline: Pipeline, campaign_of: Mapping[str, str], harvest: _Harvest
) -> None:
    scores: dict[str, float] = {}
    for stage in pipeline.stages["llm.links"]:
        if isinstance(stage, CampaignsStage):
            for group in stage.groups.by_number.values():
                _score_bystanders(stage, group, campaign_of, scores)
    floor = MEMBER_PRIOR.intercept
    for source in pipeline.stages["llm.requests"]:
        if not isinstance(source, AccountsStage):
            continue
        for slot, account in enumerate(source.accounts.ids):
            row = source.accounts.rows[slot]
            guilty = bool(campaign_of.get(account))
            if row["events"] >= LOOKS[0]:
                harvest.accounts.append((account_features(row), guilty))
            if not guilty:
                harvest.bystanders.append(scores.get(account, floor))


def _score_bystanders(
    stage: CampaignsStage,
    group: Group,
    campaign_of: Mapping[str, str],
    scores: dict[str, float],
) -> None:
    """Score the ordinary accounts of a mostly hostile group; keep each one's worst."""
    hostile = sum(bool(campaign_of.get(account)) for account in group.uses)
    if hostile <= _MAJORITY * len(group.uses):
        return
    model = MEMBER_PRIOR.model()
    profile = GroupProfile(stage.graph, group)
    for account, uses in group.uses.items():
        if uses >= LADDER[0].uses and not campaign_of.get(account):
            score = model.log_odds(profile.member(account))
            scores[account] = max(scores.get(account, score), score)


def _fit(examples: list[tuple[dict[str, float], bool]]) -> Likeness:
    """Fit River's logistic regression; group features may only add to suspicion.

    Both classes get the same total weight by repeating the rarer one.
    """
    model = Likeness({}, intercept=0.0, rate=0.05)
    guilty = [example for example in examples if example[1]]
    honest = [example for example in examples if not example[1]]
    size = max(len(guilty), len(honest))
    chance = Random(1)  # noqa: S311 - order of learning, not cryptography
    for _ in range(_EPOCHS):
        epoch = [
            (guilty[n % len(guilty)], honest[n % len(honest)]) for n in range(size)
        ]
        chance.shuffle(epoch)
        for pair in epoch:
            for features, label in pair:
                model.learn(features, distillation=label)
        _forbid_exculpation(model)
    return model


def _forbid_exculpation(model: Likeness) -> None:
    """Set negative weights of group features to 0: they would be easy to fake."""
    weights = {
        name: max(weight, 0.0) if name in FEATURES else weight
        for name, weight in model.weights.items()
    }
    model.set_weights(weights)


def _links_only(look: _Look) -> dict[str, float]:
    """Leave content out of the fit, which would learn the simulated corpora."""
    return {name: x for name, x in look.features.items() if name != "likeness"}


def _at_percentile(
    model: Likeness, examples: list[tuple[dict[str, float], bool]]
) -> Likeness:
    """Move the intercept so that 0 is a high percentile of ordinary accounts."""
    scores = sorted(model.log_odds(x) for x, guilty in examples if not guilty)
    high = scores[int(_GATE_PERCENTILE * (len(scores) - 1))]
    return Likeness(model.weights, model.intercept - high)


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


def _group_scores(looks: list[_Look], model: Likeness) -> list[dict[str, RankedScores]]:
    frozen = _prior(model).model()
    table = []
    for wanted in range(len(GROUP_LOOKS)):
        units = _nearest(looks, wanted) or looks
        scores: dict[str, list[float]] = {name: [] for name in ("joint", *DETECTORS)}
        for unit in units:
            scores["joint"].append(frozen.log_odds(unit.features))
            for name, score in detector_scores(unit.features).items():
                scores[name].append(score)
        table.append({name: RankedScores.of(values) for name, values in scores.items()})
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
