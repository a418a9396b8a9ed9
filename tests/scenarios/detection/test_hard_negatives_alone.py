"""Each hard negative is run, and counted, by itself."""

from __future__ import annotations

from streams.scenarios.detection.hard_negatives import OWN_MODEL
from streams.scenarios.detection.hard_negatives_alone import (
    hard_negative_names,
    hard_negatives_alone,
)
from streams.scenarios.detection.source import Source


def test_every_hard_negative_is_counted_by_itself(source: Source) -> None:
    told: list[int] = []
    results = hard_negatives_alone(
        source,
        scale=0.12,
        ordinary=15,
        hours=12,
        seed=1,
        progress=lambda _step, done, _total: told.append(done),
    )
    assert tuple(each.name for each in results) == hard_negative_names()
    assert told == list(range(1, len(results) + 1))
    for each in results:
        assert each.accounts > 0
        assert each.rate.hits == each.actions_above_label <= each.accounts
    (own,) = (each for each in results if each.name == OWN_MODEL.name)
    assert own.actions_above_label == 0
