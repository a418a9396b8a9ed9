"""Build the frozen reference: simulate populations, collect looks, fit the prior.

1. Campaign populations: fit the likeness of groups and of members, and score the
   bystanders.
2. Benign populations: score every group at every look with that prior.

The likeness of accounts is that of the shipped reference: the groups' likeness is
measured with it, so a new one would have to come before everything else.

Half of the populations are built on the corpus, where one is given, and half on the
scenarios' own generators, so that the reference leans on neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.campaigns.group_features import FEATURES
from streams.models.evidence import RankedScores
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
from streams.scenarios.honest_groups import SHARING_KINDS, SITES_KINDS
from streams.scenarios.prior_fit import group_prior, member_prior
from streams.scenarios.reference_harvest import (
    Harvest,
    Look,
    Member,
    harvests,
    nearest_looks,
)
from streams.scenarios.reference_populations import (
    benign_population,
    campaign_population,
)
from streams.scenarios.scenario import Scenario

__all__ = [
    "assemble",
    "benign_populations",
    "build_reference",
    "campaign_populations",
    "site_populations",
]

_SPECIAL_EVERY: Final = 4
"""For so many campaign populations there is one of campaigns at one site, and one of
campaigns without templates: each kind has a stratum of its own."""
_EXPLAINING_RANKS: Final = 8

Features = dict[str, float]


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
    return assemble(
        version,
        *(
            harvests(populations, corpus, jobs, step, progress)
            for step, populations in (
                ("campaign populations", campaign_populations(campaigns, 10_000)),
                ("benign populations", benign_populations(benign, 20_000)),
                ("benign populations of sites", site_populations(benign, 40_000)),
            )
        ),
    )


def campaign_populations(count: int, seed: int) -> list[Scenario]:
    """Draw so many populations with campaigns of all kinds, and some of each kind."""
    few = range(-(-count // _SPECIAL_EVERY))
    return [
        *(campaign_population(seed + number) for number in range(count)),
        *(campaign_population(seed + 4000 + number, "one_site") for number in few),
        *(campaign_population(seed + 6000 + number, "untemplated") for number in few),
    ]


def benign_populations(count: int, seed: int) -> list[Scenario]:
    """Draw so many populations of every kind, and of kinds that share."""
    sharing = [seed + 10_000 + number for number in range(count)]
    return [
        *(benign_population(seed + number) for number in range(count)),
        *(benign_population(each, SHARING_KINDS) for each in sharing),
    ]


def site_populations(count: int, seed: int) -> list[Scenario]:
    """Draw so many populations of groups with several sites and payers."""
    return [benign_population(seed + number, SITES_KINDS) for number in range(count)]


def assemble(
    version: str,
    hostile: Iterable[Harvest],
    honest: Iterable[Harvest],
    sites: Iterable[Harvest] = (),
) -> dict[str, Any]:
    """Make the content of reference.json from what populations gave.

    Of ``sites`` only groups count that begin with infrastructure. Companies with
    several offices and cards, opened together and without organization ids, are a
    population there, but nowhere else: their templates would rank among everybody's.
    """
    labelled, benign = Harvest(), Harvest()
    for harvest in hostile:
        labelled.add(harvest)
    for harvest in honest:
        benign.add(harvest)
    for harvest in sites:
        benign.looks += [
            look
            for look in harvest.looks
            if stratum_of(look.features) == "infrastructure"
        ]
    group = {stratum: group_prior(labelled.looks, stratum) for stratum in STRATA}
    member = member_prior(labelled.members)
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


def _bystander_scores(members: list[Member], prior: Prior) -> Iterable[float]:
    """Score the ordinary accounts of campaigns' groups; keep each one's worst."""
    model = prior.model()
    worst: dict[tuple[int, str], float] = {}
    for each in members:
        if not each.campaign:
            key, score = (each.population, each.account), model.log_odds(each.features)
            worst[key] = max(worst.get(key, score), score)
    return worst.values()


def _group_scores(
    looks: list[Look], priors: Mapping[str, Prior]
) -> list[dict[str, dict[str, RankedScores]]]:
    models = {stratum: prior.model() for stratum, prior in priors.items()}
    table = []
    for wanted in range(len(GROUP_LOOKS)):
        scores: dict[str, dict[str, list[float]]] = {
            stratum: {name: [] for name in ("joint", *DETECTORS)} for stratum in STRATA
        }
        for unit in nearest_looks(looks, wanted):
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


def _feature_scores(looks: list[Look]) -> list[dict[str, RankedScores]]:
    return [
        {
            name: RankedScores.of(
                (unit.features[name] for unit in nearest_looks(looks, wanted) or looks),
                _EXPLAINING_RANKS,
            )
            for name in FEATURES
        }
        for wanted in range(len(GROUP_LOOKS))
    ]
