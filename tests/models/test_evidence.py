"""Evidence keeps its promise: its mean is at most 1 when nothing is wrong."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.evidence import (
    DENSE_RANKS,
    RankedScores,
    aim,
    calibrate,
    conformal_p,
    merge,
    resolution_limit,
    staged,
)

_EXACT = 1 + 1e-12
"""Calibrated values are divided once, in floating point."""


def _mean(e_values: list[float]) -> float:
    return math.fsum(e_values) / len(e_values)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 100, 127, 128, 1000, 4095, 4096])
def test_calibrated_ranks_have_a_mean_of_at_most_one(size: int) -> None:
    """A unit that is exchangeable with the reference has each rank equally often."""
    e_values = [calibrate(rank / (size + 1), size) for rank in range(1, size + 2)]
    assert _mean(e_values) <= _EXACT
    assert e_values == sorted(e_values, reverse=True)
    assert e_values[0] == resolution_limit(size)


@given(st.integers(0, 4096), st.floats(1e-5, 0.5))
def test_aimed_evidence_has_a_mean_of_at_most_one_and_reaches_its_level(
    size: int, level: float
) -> None:
    e_values = [aim(rank / (size + 1), size, level) for rank in range(1, size + 2)]
    assert _mean(e_values) <= _EXACT
    reached = sum(e_value * level >= 1 for e_value in e_values)
    assert reached == math.floor(level * (size + 1))


@given(
    st.integers(0, 6000),
    st.lists(st.integers(1, 2000), min_size=1, max_size=5, unique=True).map(sorted),
)
def test_staged_evidence_has_a_mean_of_at_most_one_and_no_other_values(
    size: int, targets: list[int]
) -> None:
    e_values = [staged(rank / (size + 1), targets) for rank in range(1, size + 2)]
    assert _mean(e_values) <= _EXACT
    assert set(e_values) <= {0.0, *map(float, targets)}
    assert e_values == sorted(e_values, reverse=True)
    assert staged(1e-9, targets) == targets[-1]


@given(
    st.lists(st.integers(-3, 3) | st.floats(-9, 9), min_size=2, max_size=60),
    st.sampled_from([1, 2, 5, DENSE_RANKS]),
)
@settings(max_examples=60)
def test_any_exchangeable_units_have_a_mean_of_at_most_one(
    scores: list[float], dense: int
) -> None:
    """Whatever the scores, with ties or not, thinned or not: each in turn is tested."""
    e_values = []
    for at, score in enumerate(scores):
        others = RankedScores.of(scores[:at] + scores[at + 1 :], dense)
        e_values.append(calibrate(conformal_p(score, others), others.size))
    assert _mean(e_values) <= _EXACT


@given(
    st.lists(st.floats(-9, 9), max_size=400),
    st.floats(-10, 10),
    st.sampled_from([1, 4, DENSE_RANKS]),
)
def test_thinning_never_makes_evidence_stronger(
    scores: list[float], score: float, dense: int
) -> None:
    thinned = RankedScores.of(scores, dense)
    not_smaller = sum(other >= score for other in scores)
    assert not_smaller <= thinned.not_smaller(score) <= len(scores)
    if not_smaller < dense:
        assert thinned.not_smaller(score) == not_smaller
    else:  # a kept rank is at most an eighth of an octave away
        assert thinned.not_smaller(score) <= math.ceil(not_smaller * 2**0.125)
    p = conformal_p(score, thinned)
    assert Fraction(1, len(scores) + 1) <= Fraction(p).limit_denominator(10**6) <= 1
    exact = (1 + not_smaller) / (1 + len(scores))
    assert calibrate(p, len(scores)) <= calibrate(exact, len(scores))


@given(st.lists(st.floats(0, 1), max_size=50))
def test_larger_scores_have_smaller_p(scores: list[float]) -> None:
    reference = RankedScores.of(scores)
    p_values = [conformal_p(step / 10, reference) for step in range(12)]
    assert p_values == sorted(p_values, reverse=True)


def test_more_reference_units_resolve_more() -> None:
    limits = [resolution_limit(2**power - 1) for power in range(1, 14)]
    assert limits == sorted(limits)
    # n units allow no p below 1 / (n + 1), and no e-value above n + 1.
    assert all(limit <= 2**power for power, limit in enumerate(limits, 1))


_E_VALUES = st.dictionaries(
    st.sampled_from("abcd"), st.floats(1e-6, 1e6), min_size=1, max_size=4
)
_WEIGHTS = st.fixed_dictionaries(dict.fromkeys("abcd", st.floats(0.01, 10)))


@given(_E_VALUES, _WEIGHTS)
def test_a_merge_lies_between_its_parts(
    e_values: dict[str, float], weights: dict[str, float]
) -> None:
    merged = merge(e_values, weights)
    assert min(e_values.values()) * (1 - 1e-9) <= merged
    assert merged <= max(e_values.values()) * (1 + 1e-9)
    doubled = {name: 2 * weight for name, weight in weights.items()}
    assert merge(e_values, doubled) == pytest.approx(merged)
    assert merge(dict(reversed(e_values.items())), weights) == merged


@given(st.lists(_E_VALUES.filter(lambda e: len(e) == 4), min_size=1), _WEIGHTS)
def test_the_mean_of_merges_is_the_merge_of_means(
    draws: list[dict[str, float]], weights: dict[str, float]
) -> None:
    """That is why a merge of e-values is one, whatever depends on what."""
    means = {name: _mean([draw[name] for draw in draws]) for name in "abcd"}
    merged = _mean([merge(draw, weights) for draw in draws])
    assert merged == pytest.approx(merge(means, weights), rel=1e-9, abs=1e-9)
