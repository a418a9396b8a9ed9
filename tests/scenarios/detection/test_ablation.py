"""What is left out of the score is refitted and counted, on groups of no fit."""

from __future__ import annotations

import pytest

from streams.campaigns.group_features import FEATURES
from streams.models.reference import DETECTORS, STRATA
from streams.scenarios.detection.ablation import (
    AblationFigures,
    AblationPlan,
    ablation,
)


@pytest.fixture(scope="module")
def figures() -> tuple[AblationFigures, ...]:
    return ablation(AblationPlan(campaigns=2, benign=1, one_in=20), seed=3, jobs=2)


def test_every_detector_and_feature_is_left_out_once(
    figures: tuple[AblationFigures, ...],
) -> None:
    known = {name for name in FEATURES if name not in ("payer", "place")}
    without = {each.score: set(each.without) for each in figures}
    assert without["everything"] == set()
    for detector, names in DETECTORS.items():
        assert without[f"no {detector}"] == set(names)
        assert without[f"only {detector}"] == known - set(names)
    assert all(without[f"no {name}"] == {name} for name in known)
    assert len(without) == 1 + 2 * len(DETECTORS) + len(known)


def test_campaigns_are_counted_by_stratum_and_none_is_lost_again(
    figures: tuple[AblationFigures, ...],
) -> None:
    cells = {(e.score, e.stratum, e.exchanges): e.found for e in figures}
    assert len(cells) == len(figures)
    looks = sorted({exchanges for _, _, exchanges in cells})
    assert looks == [25, 100, 1600]
    for score, stratum, _ in cells:
        found = [cells[score, stratum, exchanges] for exchanges in looks]
        assert [e.hits for e in found] == sorted(e.hits for e in found)
        assert [e.trials for e in found] == [
            cells["everything", stratum, exchanges].trials for exchanges in looks
        ]
    assert sum(cells["everything", name, 1600].hits for name in STRATA) > 0
