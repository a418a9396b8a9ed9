import numpy as np
import pytest

from streams.models.sketch_space import BIT_STEP, DIMENSIONS
from streams.models.spectral import AXES, TRUNCATIONS, SpectralMap


@pytest.fixture(scope="module")
def benign() -> np.ndarray:
    bits = np.random.default_rng(3).random((1200, DIMENSIONS)) < 0.3
    return bits.astype(np.float32) * BIT_STEP


def test_benign_coordinates_are_white(benign: np.ndarray) -> None:
    spectral = SpectralMap(benign)
    found = spectral.coordinates(benign).astype(np.float64)
    assert found.shape == (len(benign), AXES)
    assert np.abs(found.mean(axis=0)).max() < 1e-2
    assert np.allclose(np.cov(found.T), np.eye(AXES), atol=0.05)
    assert (np.diff(spectral.variances) <= 0).all()


def test_a_rare_kind_stands_out_more_than_in_mmd(benign: np.ndarray) -> None:
    spectral = SpectralMap(benign[:800])
    rng = np.random.default_rng(4)

    def means(rare: int) -> np.ndarray:
        windows = []
        for _ in range(60):
            rows = benign[rng.integers(800, 1200, 100)].copy()
            rows[:rare, :3] = BIT_STEP
            windows.append(spectral.coordinates(rows).mean(axis=0))
        return np.array(windows, dtype=np.float64)

    sizes = np.full(60, 100)
    ordinary = spectral.statistics(means(0), sizes)
    attacked = spectral.statistics(means(30), sizes)
    assert ordinary.shape == (60, 1 + len(TRUNCATIONS))
    apart = (attacked.mean(axis=0) - ordinary.mean(axis=0)) / ordinary.std(axis=0)
    assert (apart > 2).all()
    assert np.isfinite(attacked).all()


def test_the_map_is_the_same_each_time(benign: np.ndarray) -> None:
    once, again = SpectralMap(benign[:300]), SpectralMap(benign[:300])
    assert np.array_equal(once.coordinates(benign), again.coordinates(benign))


def test_equal_prompts_have_finite_coordinates() -> None:
    same = np.full((5, DIMENSIONS), BIT_STEP, dtype=np.float32)
    assert np.isfinite(SpectralMap(same).coordinates(same)).all()
