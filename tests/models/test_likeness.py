"""Likeness is River's model: same score, any order of features; learning is asked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.features.account_row import ACCOUNT_ROW, MARKER_COUNT
from streams.models.likeness import Likeness, account_features, age_days, plain_rows

_NAMES = st.sampled_from([f"feature_{n}" for n in range(8)])
_WEIGHTS = st.dictionaries(_NAMES, st.floats(-5, 5))
_FEATURES = st.dictionaries(_NAMES, st.floats(0, 2))
_HALF_A_STEP = 0.5e-6
"""Log-odds are rounded to six decimals."""


@given(_WEIGHTS, _FEATURES, st.floats(-3, 3))
def test_score_is_that_of_river(
    weights: dict[str, float], features: dict[str, float], intercept: float
) -> None:
    likeness = Likeness(weights, intercept)
    score = likeness.log_odds(features)
    predict = likeness.model.predict_proba_one
    river = predict(features)[True]  # type: ignore[no-untyped-call] # River has no types
    low, high = (
        1 / (1 + math.exp(-(score + error))) for error in (-_HALF_A_STEP, _HALF_A_STEP)
    )
    assert low - 1e-9 <= river <= high + 1e-9


@given(_WEIGHTS, _FEATURES, st.randoms(use_true_random=False))
def test_the_order_of_features_does_not_matter(
    weights: dict[str, float], features: dict[str, float], chance: object
) -> None:
    items, names = list(features.items()), list(weights.items())
    chance.shuffle(items)  # type: ignore[attr-defined] # Hypothesis' Random
    chance.shuffle(names)  # type: ignore[attr-defined] # same
    one = Likeness(weights, 0.5).log_odds(features)
    assert Likeness(dict(names), 0.5).log_odds(dict(items)) == one


def test_learning_moves_towards_the_label_and_scoring_never_learns() -> None:
    features = {"templated": 1.0, "young": 0.5}
    likeness = Likeness({"templated": 0.2}, intercept=0.0)
    first = likeness.log_odds(features)
    for _ in range(50):
        assert likeness.log_odds(features) == first
    for _ in range(50):
        likeness.learn(features, distillation=True)
    higher = likeness.log_odds(features)
    assert higher > first
    for _ in range(200):
        likeness.learn(features, distillation=False)
    assert likeness.log_odds(features) < higher


def test_new_weights_count_at_once() -> None:
    likeness = Likeness({"a": 1.0}, intercept=0.0)
    assert likeness.log_odds({"a": 1.0}) == 1.0
    likeness.set_weights({"a": 3.0})
    assert likeness.log_odds({"a": 1.0}) == 3.0
    assert likeness.weights == {"a": 3.0}
    assert likeness.intercept == 0.0


@given(st.data())
def test_features_of_an_account_are_small_numbers(data: st.DataObject) -> None:
    events = data.draw(st.integers(1, 10**6))
    shares = st.integers(0, events)
    row = np.zeros(1, ACCOUNT_ROW)[0]
    row["events"] = events
    row["first_minute"], row["created_minute"] = (
        30_000,
        data.draw(st.integers(-1, 40_000)),
    )
    row["last_minute"] = 30_000 + data.draw(st.integers(0, 10**6))
    row["models"] = data.draw(st.lists(st.integers(1, 9), min_size=8, max_size=8))
    row["markers"] = data.draw(st.lists(shares, min_size=32, max_size=32))
    row["hours_of_day"] = data.draw(st.integers(0, 2**24 - 1))
    for field in ("templated", "minute_peak", "hour_peak", "active_hours"):
        row[field] = data.draw(shares)
    tokens = data.draw(st.integers(0, 10**9))
    row["tokens_in"] = row["tokens_out"] = tokens
    row["tokens_reasoning"] = data.draw(st.integers(0, tokens))
    features = account_features(row)
    assert all(0 <= value <= 2.5 for value in features.values())
    used = {f"marker_{bit}" for bit in range(MARKER_COUNT) if row["markers"][bit]}
    assert used <= features.keys()
    [plain] = plain_rows(np.array([row], ACCOUNT_ROW))
    assert account_features(plain) == features


@pytest.mark.parametrize(
    ("created", "first", "days"), [(-1, 5, 30.0), (0, 1440, 1.0), (99, 5, 0.0)]
)
def test_age(created: int, first: int, days: float) -> None:
    assert age_days({"created_minute": created, "first_minute": first}) == days
