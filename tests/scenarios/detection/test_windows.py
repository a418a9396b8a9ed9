import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.scenarios.detection.prompt_vectors import PromptPool, prompt_pool
from streams.scenarios.detection.source import Source
from streams.scenarios.detection.window_statistics import (
    STATISTICS,
    Kernel,
    Window,
    WindowStatistics,
)
from streams.scenarios.detection.windows import WindowPlan, threshold, window_test

PLAN = WindowPlan(
    shares=(0.1, 1.0),
    windows=(40,),
    calibration=30,
    benign=12,
    attacks=2,
    reference=60,
    folds=2,
    fitting=20,
    history=60,
)


@pytest.fixture(scope="module")
def pool(source: Source) -> PromptPool:
    roles = ("legit-bulk", "campaign-rubric")
    return prompt_pool(source.corpora, most=60, seed=2, roles=roles)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300),
    st.floats(0.001, 0.5),
)
def test_a_threshold_keeps_its_conformal_rate(
    values: list[float], target: float
) -> None:
    scores = np.array(values)
    above = int((scores > threshold(scores, target)).sum())
    assert above <= target * (len(scores) + 1)


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_mmd_is_that_of_its_definition(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(20, 3)).astype(np.float32)
    reference, window = np.arange(8), rng.integers(0, 20, size)
    (found,) = Kernel(vectors, reference).mmd([window])
    apart = np.linalg.norm(vectors[:8, None] - vectors[None, :8], axis=2)
    squared = apart[np.triu_indices(8, 1)] ** 2
    gamma = 1 / (2 * np.median(squared))

    def kernel(left: np.ndarray, right: np.ndarray) -> float:
        gaps = np.linalg.norm(vectors[left][:, None] - vectors[right][None], axis=2)
        return float(np.exp(-gamma * gaps**2).mean())

    expected = kernel(window, window) - 2 * kernel(window, reference)
    assert found == pytest.approx(expected + kernel(reference, reference), abs=1e-5)
    assert found > -1e-5


def test_a_window_of_the_reference_itself_is_not_far() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(50, 4)).astype(np.float32)
    (same,) = Kernel(vectors, np.arange(50)).mmd([np.arange(50)])
    assert same == pytest.approx(0, abs=1e-5)


def test_the_pool_knows_both_sides(pool: PromptPool) -> None:
    assert len(pool.corpus) == len(pool.markers) == len(pool.ngrams) == len(pool.heads)
    hostile, benign = pool.rows(hostile=True), pool.rows(hostile=False)
    assert len(hostile) + len(benign) == len(pool.corpus)
    assert not set(pool.corpus[hostile]) & set(pool.corpus[benign])
    assert np.allclose(np.linalg.norm(pool.ngrams, axis=1), 1, atol=1e-4)
    assert pool.markers.min() >= 0
    assert pool.markers.max() <= 1


def test_every_statistic_gives_a_finite_score(pool: PromptPool) -> None:
    benign = pool.rows(hostile=False)
    statistics = WindowStatistics(pool, benign[:60])
    past = benign[90:150]
    hostile = pool.rows(hostile=True)
    windows = [Window(benign[60:90], past), Window(hostile[:30], past)]
    statistics.fit([Window(benign[at : at + 30], past) for at in range(60, 90)])
    for name in STATISTICS:
        scores = statistics.score(name, windows)
        assert scores.shape == (2,)
        assert np.isfinite(scores).all(), name
    for name in ("spectral_mmd", "combined", "markers_mmd", "ngrams_mmd"):
        ordinary, hostile = statistics.score(name, windows)
        assert hostile > ordinary, name


def test_repeated_queries_are_near(pool: PromptPool) -> None:
    benign = pool.rows(hostile=False)
    statistics = WindowStatistics(pool, benign[:60], ["seat"])
    distinct, repeated = benign[60:90], np.repeat(benign[60:63], 10)
    windows = [Window(rows, benign[90:]) for rows in (distinct, repeated)]
    low, high = statistics.score("seat", windows)
    assert high > 0.8 > low


def test_all_cells_are_there_and_pure_windows_are_found(pool: PromptPool) -> None:
    cells = window_test(pool, PLAN, seed=1)
    assert len(cells) == len(STATISTICS) * 2 * 2
    for cell in cells:
        assert cell.fpr.trials == 12
        assert cell.tpr.trials > 0
        assert np.mean(list(cell.families.values())) == pytest.approx(
            cell.tpr.rate, abs=1e-3
        )
    found = {(c.statistic, c.groups, c.share): c for c in cells}
    assert found["markers_mmd", "pooled", 1.0].tpr.rate == 1.0
    assert found["rate_limit", "pooled", 1.0].tpr.rate == 0.0
    assert cells == window_test(pool, PLAN, seed=1)
