"""What each detector and each feature earns: the joint score, fitted without it.

Fresh populations are simulated. Half of the campaign populations fit the prior, the
campaigns of the other half are looked for with it, and then the other way round. A
campaign is found at a look when its conformal p-value among benign groups of the same
stratum and look is small enough; other groups than those of any fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from streams.campaigns.group_features import FEATURES
from streams.models.evidence import RankedScores, conformal_p
from streams.models.likeness import Likeness
from streams.models.reference import (
    COMPARING,
    DETECTORS,
    GROUP_LOOKS,
    STRATA,
    stratum_of,
)
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.prior_fit import group_prior
from streams.scenarios.reference_builder import (
    benign_populations,
    campaign_populations,
)
from streams.scenarios.reference_harvest import Look, harvests, nearest_looks

__all__ = ["AblationFigures", "AblationPlan", "ablation"]

_SHOWN_LOOKS: Final = (0, 2, 6)
"""Looks up to which campaigns are counted: 25, 100 and 1,600 exchanges."""
_SEEDS: Final = 100_000
"""Seeds of populations for each seed; the reference has those below the first."""
_BENIGN_SEEDS: Final = 50_000

_Campaign = tuple[int, str]


class AblationPlan(NamedTuple):
    """Populations of each kind; found is what has a p-value of 1 in ``one_in``.

    For each four campaign populations there is one more, of campaigns at one site.
    """

    campaigns: int = 16
    benign: int = 16
    one_in: int = 300


class AblationFigures(msgspec.Struct, frozen=True):
    """Campaigns found in a stratum by ``exchanges``, some features ``without``.

    ``score`` names what the score was made of. Trials are the campaigns that reached
    a look of so many exchanges in this stratum.
    """

    score: str
    without: tuple[str, ...]
    stratum: str
    exchanges: int
    found: Rate


def ablation(
    plan: AblationPlan,
    *,
    seed: int,
    corpus: Path | None = None,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> tuple[AblationFigures, ...]:
    """Fit and test the score without each detector and feature in turn."""
    first = (1 + seed) * _SEEDS
    hostile = campaign_populations(plan.campaigns, first)
    honest = benign_populations(plan.benign, first + _BENIGN_SEEDS)
    labelled = [
        look
        for one in harvests(hostile, corpus, jobs, "campaigns to ablate", progress)
        for look in one.looks
    ]
    benign = [
        look
        for one in harvests(honest, corpus, jobs, "groups to compare with", progress)
        for look in one.looks
    ]
    trial = _Trial(labelled, benign, 1 / plan.one_in)
    scores = _scores()
    figures: list[AblationFigures] = []
    for done, (score, without) in enumerate(scores.items()):
        progress("scores", done, len(scores))
        figures += trial.run(score, without)
    return tuple(figures)


def _scores() -> Mapping[str, tuple[str, ...]]:
    """Name the scores that are tried, and what each of them leaves out."""
    known = [name for name in FEATURES if name not in COMPARING]
    scores: dict[str, tuple[str, ...]] = {"everything": ()}
    for detector, names in DETECTORS.items():
        scores[f"no {detector}"] = names
    for detector, names in DETECTORS.items():
        scores[f"only {detector}"] = tuple(n for n in known if n not in names)
    return scores | {f"no {name}": (name,) for name in known}


class _Trial:
    """The looks of all populations, sorted out once."""

    def __init__(self, labelled: list[Look], benign: list[Look], level: float) -> None:
        self._labelled = labelled
        self._level = level
        self._benign = {
            (stratum, wanted): [
                look
                for look in nearest_looks(benign, wanted)
                if stratum_of(look.features) == stratum
            ]
            for stratum in STRATA
            for wanted in range(len(GROUP_LOOKS))
        }

    def run(self, score: str, without: tuple[str, ...]) -> Iterator[AblationFigures]:
        """Fit without some features, and count what is found of the other half."""
        for stratum in STRATA:
            first: dict[_Campaign, int] = {}
            found: dict[_Campaign, int] = {}
            for fold in (0, 1):
                self._find(stratum, fold, without, first, found)
            for last in _SHOWN_LOOKS:
                yield AblationFigures(
                    score,
                    without,
                    stratum,
                    GROUP_LOOKS[last],
                    Rate.of(
                        sum(look <= last for look in found.values()),
                        sum(look <= last for look in first.values()),
                    ),
                )

    def _find(
        self,
        stratum: str,
        fold: int,
        without: Collection[str],
        first: dict[_Campaign, int],
        found: dict[_Campaign, int],
    ) -> None:
        """Note at which look each campaign of a fold was first seen, first found."""
        looks = [e for e in self._labelled if stratum_of(e.features) == stratum]
        fitted = [look for look in looks if look.population % 2 != fold]
        held_out = [e for e in looks if e.campaign and e.population % 2 == fold]
        for look in held_out:
            name = (look.population, look.name)
            first[name] = min(first.get(name, look.look), look.look)
        if len({look.campaign for look in fitted}) < 2:
            return  # nothing to fit on: none of them is found
        model = group_prior(fitted, stratum, without).model()
        ranked: dict[int, RankedScores] = {}
        for look in held_out:
            if look.look not in ranked:
                ranked[look.look] = self._ranked(model, stratum, look.look, without)
            p = conformal_p(_score(model, look, without), ranked[look.look])
            if p <= self._level:
                name = (look.population, look.name)
                found[name] = min(found.get(name, look.look), look.look)

    def _ranked(
        self, model: Likeness, stratum: str, wanted: int, without: Collection[str]
    ) -> RankedScores:
        groups = self._benign[stratum, wanted]
        return RankedScores.of(_score(model, look, without) for look in groups)


def _score(model: Likeness, look: Look, without: Collection[str]) -> float:
    return model.log_odds({n: x for n, x in look.features.items() if n not in without})
