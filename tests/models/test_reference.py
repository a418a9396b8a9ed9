"""The shipped reference is whole, and an altered one is refused."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.campaigns.group_features import FEATURES
from streams.campaigns.member_features import MEMBER_FEATURES
from streams.errors import StateError
from streams.models import reference as module
from streams.models.evidence import RankedScores, conformal_p, staged
from streams.models.reference import (
    DETECTORS,
    GROUP_LOOKS,
    MEMBER_E_VALUES,
    STRATA,
    WEIGHTS,
    digest,
    load_reference,
)
from streams.policy.ladder import LADDER

_CONTENT: dict[str, Any] = json.loads(
    files("streams.models").joinpath("reference.json").read_text("utf-8")
)


def _leaves(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(content, dict | list) and content:
        items = content.items() if isinstance(content, dict) else enumerate(content)
        return [leaf for key, value in items for leaf in _leaves(value, (*path, key))]
    return [path]


_LEAVES = [path for path in _leaves(_CONTENT) if path != ("digest",)]


def _altered(path: tuple[Any, ...]) -> dict[str, Any]:
    content = json.loads(json.dumps(_CONTENT))
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    place[path[-1]] = value + 1 if isinstance(value, int | float) else f"{value}!"
    return dict(content)


def test_the_shipped_reference_is_what_its_digest_says() -> None:
    assert digest(_CONTENT) == _CONTENT["digest"] == load_reference().digest
    assert load_reference() is load_reference()


@given(st.sampled_from(_LEAVES))
@settings(max_examples=60)
def test_every_number_counts_for_the_digest(path: tuple[Any, ...]) -> None:
    assert digest(_altered(path)) != _CONTENT["digest"]


def test_the_order_of_keys_does_not() -> None:
    assert digest(dict(reversed(_CONTENT.items()))) == _CONTENT["digest"]


def test_an_altered_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    file = tmp_path / "reference.json"
    file.write_text(json.dumps(_CONTENT), "utf-8")
    assert load_reference.__wrapped__() == load_reference()
    file.write_text(json.dumps(_altered(_LEAVES[-1])), "utf-8")
    with pytest.raises(StateError, match="does not match its digest"):
        load_reference.__wrapped__()
    content = {key: value for key, value in _CONTENT.items() if key != "digest"}
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(StateError, match="does not match its digest"):
        load_reference.__wrapped__()


def test_it_knows_every_look_detector_and_feature() -> None:
    reference = load_reference()
    assert len(reference.groups) == len(reference.features) <= len(GROUP_LOOKS)
    for look, features in zip(reference.groups, reference.features, strict=True):
        assert set(look) == set(STRATA)
        of_strata = list(look.values())
        assert all(set(each) == set(WEIGHTS) for each in of_strata)
        assert set(WEIGHTS) == {"joint", *DETECTORS}
        assert set(features) == set(FEATURES)
        scores = [ranked for each in of_strata for ranked in each.values()]
        for ranked in (*scores, *features.values()):
            assert ranked.scores == sorted(ranked.scores, reverse=True)
            assert ranked.ranks == sorted(set(ranked.ranks))
            assert len(ranked.ranks) == len(ranked.scores)
            assert max(ranked.ranks, default=0) == ranked.size
    used = {feature for features in DETECTORS.values() for feature in features}
    assert used <= set(FEATURES)
    assert set(reference.group) == set(STRATA)
    assert all(
        set(prior.weights) <= set(FEATURES) for prior in reference.group.values()
    )
    assert set(reference.member.weights) <= set(MEMBER_FEATURES)


@given(
    st.fixed_dictionaries(dict.fromkeys(FEATURES, st.floats(0, 1))),
    st.integers(0, len(GROUP_LOOKS) + 2),
    st.floats(1e-4, 0.1),
)
@settings(max_examples=60)
def test_evidence_of_a_group_stays_below_its_limit(
    features: dict[str, float], look: int, level: float
) -> None:
    reference = load_reference()
    assessment = reference.assess_group(features, look, level)
    assert (
        0 <= assessment.e_value <= reference.group_limit(features, look, level) + 1e-6
    )
    assert set(assessment.e_values) == set(WEIGHTS)
    assert all(0 <= quantile < 1 for quantile in assessment.quantiles.values())
    shuffled = dict(reversed(features.items()))
    assert reference.assess_group(shuffled, look, level) == assessment


@given(st.fixed_dictionaries(dict.fromkeys(MEMBER_FEATURES, st.floats(0, 1))))
@settings(max_examples=30)
def test_evidence_of_a_member_is_the_same_each_time(features: dict[str, float]) -> None:
    reference = load_reference()
    e_value = reference.assess_member(features)
    assert 0 <= e_value <= reference.bystanders.size + 1
    assert reference.assess_member(dict(reversed(features.items()))) == e_value
    for name, value in features.items():
        alone = reference.models["member"].log_odds({name: value})
        for _ in range(2):
            quantile = reference.lone_quantile(name, value)
            assert quantile == reference.member_quantile(alone)


def test_own_evidence_has_the_values_that_the_ladder_asks_for() -> None:
    assert tuple(sorted({step.e_value for step in LADDER})) == MEMBER_E_VALUES


@given(st.lists(st.integers(-3, 9), max_size=300), st.integers(-4, 10), st.floats(0, 1))
def test_evidence_of_a_score_is_staged_by_its_rank(
    bystanders: list[int], whole: int, part: float
) -> None:
    scores = RankedScores.of([float(score) for score in bystanders], dense=16)
    reference = msgspec.structs.replace(load_reference(), bystanders=scores)
    for score in (float(whole), whole + part, math.inf, -math.inf):
        expected = staged(conformal_p(score, scores), MEMBER_E_VALUES)
        assert reference.member_e_value(score) == expected
        for e_value in (0.0, 1.0, *MEMBER_E_VALUES, 1001.0):
            below = score <= reference.member_limit(e_value)
            assert below == (expected < e_value) or score == -math.inf
