import numpy as np
import pytest

from streams.models.neighbours import companions, nearest
from streams.models.sketch_space import SketchSpace
from streams.models.spectral import SpectralMap
from streams.models.window_test import FEWEST_COMPANIONS
from streams.scenarios.detection.own_statistics import OwnStatistics, Window
from streams.scenarios.detection.prompt_vectors import PromptPool, prompt_pool
from streams.scenarios.detection.source import Source


@pytest.fixture(scope="module")
def pool(source: Source) -> PromptPool:
    roles = ("legit-bulk", "campaign-rubric")
    return prompt_pool(source.corpora, most=40, most_benign=60, seed=2, roles=roles)


def test_the_pool_keeps_more_benign_prompts(pool: PromptPool) -> None:
    sizes = np.bincount(pool.corpus)
    assert set(sizes[~pool.hostile]) == {60}
    assert set(sizes[pool.hostile]) == {40}


def test_windows_at_once_are_windows_one_by_one(pool: PromptPool) -> None:
    benign, hostile = pool.rows(hostile=False), pool.rows(hostile=True)
    reference = benign[::2]
    space = SketchSpace(pool.ratios[reference])
    known = space.points(pool.bits[reference], pool.ratios[reference])
    spectral = SpectralMap(known)
    rng = np.random.default_rng(1)
    held_out = np.concatenate([benign[1::2], hostile])
    windows = [Window(rng.choice(held_out, 50), reference) for _ in range(7)]
    found = OwnStatistics(pool, reference).summaries(windows)
    for at, window in enumerate(windows):
        rows = window.rows
        each = spectral.coordinates(space.points(pool.bits[rows], pool.ratios[rows]))
        assert np.allclose(found.means[at], each.mean(axis=0), atol=1e-3)
        once = np.unique(pool.distinct[rows])
        points = space.points(pool.bits[once], pool.ratios[once])
        counts = companions(points, nearest(points, known))
        assert found.crowded[at] == (counts >= FEWEST_COMPANIONS).sum()
    assert found.crowded.max() > 0


def test_repeats_of_one_prompt_are_no_cluster(pool: PromptPool) -> None:
    benign, hostile = pool.rows(hostile=False), pool.rows(hostile=True)
    statistics = OwnStatistics(pool, benign[:100])
    past = benign[:100]
    repeated = Window(np.repeat(hostile[:1], 40), past)
    assert statistics.summaries([repeated]).crowded.tolist() == [0]
    assert statistics.score("own_history", [repeated])[0] <= 0


def test_a_groups_past_tells_what_is_new_to_it(pool: PromptPool) -> None:
    benign, hostile = pool.rows(hostile=False), pool.rows(hostile=True)
    rng = np.random.default_rng(3)
    shuffled = rng.permutation(benign)
    past, now = shuffled[: len(benign) // 2], shuffled[len(benign) // 2 :]
    statistics = OwnStatistics(pool, past)
    same = Window(now[:80], past)
    attacked = Window(np.concatenate([now[:40], hostile[:40]]), past)
    ordinary, found = statistics.score("own_history", [same, attacked])
    assert found > 0.2 > ordinary


def test_scores_without_a_fit_are_refused(pool: PromptPool) -> None:
    statistics = OwnStatistics(pool, pool.rows(hostile=False)[:60])
    with pytest.raises(RuntimeError, match="fit"):
        statistics.score("combined", [])
