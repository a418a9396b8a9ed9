import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from streams.models.sketch_space import BIT_STEP, DIMENSIONS
from streams.models.spectral import AXES, SpectralMap
from streams.models.window_test import WindowSummaries, WindowTest


@pytest.fixture(scope="module")
def spectral() -> SpectralMap:
    bits = np.random.default_rng(7).random((900, DIMENSIONS)) < 0.3
    return SpectralMap(bits.astype(np.float32) * BIT_STEP)


def windows(seed: int, count: int, crowded: float = 1.0) -> WindowSummaries:
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(count, AXES)) / 10
    return WindowSummaries(means, rng.poisson(crowded, count), np.full(count, 100))


def test_benign_windows_score_as_their_tail_says(spectral: SpectralMap) -> None:
    test = WindowTest(spectral, windows(1, 600))
    scores = test.scores(windows(2, 2000))
    # Five statistics, the least p of which is below 1 in 100 in at most 5 in 100.
    assert 0.005 < (scores > 2).mean() < 0.06


def test_a_shift_and_a_cluster_are_both_found(spectral: SpectralMap) -> None:
    test = WindowTest(spectral, windows(1, 600))
    plain = windows(3, 1)
    shifted = plain._replace(means=plain.means + 0.2)
    clustered = plain._replace(crowded=np.array([30]))
    assert test.scores(plain)[0] < 4
    assert test.spectral_scores(shifted)[0] > 10
    assert test.count_scores(clustered)[0] > 10
    assert test.scores(clustered)[0] == test.count_scores(clustered)[0]


@pytest.fixture(scope="module")
def fitted(spectral: SpectralMap) -> WindowTest:
    return WindowTest(spectral, windows(5, 300))


@given(one=st.integers(0, 50), other=st.integers(0, 50))
def test_more_crowded_prompts_are_never_less_suspicious(
    fitted: WindowTest, one: int, other: int
) -> None:
    low, high = sorted((one, other))
    pair = WindowSummaries(
        np.zeros((2, AXES)), np.array([low, high]), np.array([100, 100])
    )
    scores = fitted.count_scores(pair)
    assert scores[0] <= scores[1]
    assert np.isfinite(fitted.scores(pair)).all()


def test_counts_without_overdispersion_have_poisson_tails(
    spectral: SpectralMap,
) -> None:
    test = WindowTest(spectral, windows(5, 4000, crowded=2.0))
    (score,) = test.count_scores(
        WindowSummaries(np.zeros((1, AXES)), np.array([9]), np.array([100]))
    )
    assert score == pytest.approx(-np.log10(poisson.sf(8, 2.0)), abs=0.2)


def test_a_count_that_was_never_seen_still_has_a_scale(
    spectral: SpectralMap,
) -> None:
    none = windows(5, 500, crowded=0.0)
    test = WindowTest(spectral, none)
    found = test.count_scores(none._replace(crowded=np.arange(500)))
    assert found[0] == 0.0
    assert 2 < found[1] < found[2] < found[3]
