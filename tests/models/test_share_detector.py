"""The bets are fair while the share is tolerated, and pay when it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.models.share_detector import next_scores, score, steady_advantage

_ODDS = (10.0, 100.0)


@given(
    st.floats(1e-4, 0.95),
    st.floats(0, 1),
    st.integers(1, 30),
    st.floats(1.1, 200),
    st.floats(0, 1e6),
)
def test_no_look_is_expected_to_gain_while_the_share_is_tolerated(
    tolerated: float, part: float, exchanges: int, odds: float, before: float
) -> None:
    share = tolerated * part
    expected = math.fsum(
        math.comb(exchanges, uses)
        * share**uses
        * (1 - share) ** (exchanges - uses)
        * next_scores(
            [before], [odds], uses=uses, exchanges=exchanges, tolerated=tolerated
        )[0]
        for uses in range(exchanges + 1)
    )
    assert expected <= (before + 1) * (1 + 1e-9)


@pytest.mark.parametrize("threshold", [50, 500])
def test_the_mean_time_to_a_false_alarm_is_at_least_the_threshold(
    threshold: int,
) -> None:
    chance = np.random.default_rng(5)
    tolerated, lengths = 0.01, []
    for _ in range(60):
        scores, looks = [0.0, 0.0], 0
        while score(scores) < threshold:
            uses = int(chance.binomial(6, tolerated))
            scores = next_scores(
                scores, _ODDS, uses=uses, exchanges=6, tolerated=tolerated
            )
            looks += 1
        lengths.append(looks)
    assert np.mean(lengths) >= threshold


def test_scores_stay_finite() -> None:
    scores = [0.0, 0.0]
    for _ in range(50):
        scores = next_scores(scores, _ODDS, uses=10**6, exchanges=10**6, tolerated=1e-4)
    assert math.isfinite(score(scores))
    assert score(scores) > 1e20


@given(st.integers(0, 60), st.integers(1, 5000), st.floats(1e-4, 0.5), st.floats(0, 1))
def test_no_steady_share_is_likelier_than_the_advantage_says(
    uses: int, more: int, tolerated: float, part: float
) -> None:
    exchanges = uses + more
    share = tolerated + part * (1 - tolerated) * 0.999
    ratio = uses * math.log(share / tolerated)
    ratio += more * math.log((1 - share) / (1 - tolerated))
    assert steady_advantage(uses, exchanges, tolerated) >= ratio - 1e-9


def test_whoever_uses_nothing_else_has_the_whole_advantage() -> None:
    assert steady_advantage(5, 5, 0.01) == pytest.approx(5 * math.log(100))
