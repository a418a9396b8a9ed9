import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.scenarios.detection.midas import MidasR

EDGES = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1)


def tick(midas: MidasR, edges: list[tuple[int, int]]) -> list[float]:
    sources, destinations = np.array(edges).T
    return midas.tick(sources, destinations).tolist()


@given(st.lists(EDGES, min_size=1, max_size=8))
def test_scores_are_finite_and_the_first_tick_has_none(
    ticks: list[list[tuple[int, int]]],
) -> None:
    midas = MidasR()
    assert tick(midas, ticks[0]) == [0.0] * len(ticks[0])
    for edges in ticks[1:]:
        scores = np.array(tick(midas, edges))
        assert np.isfinite(scores).all()
        assert (scores >= 0).all()


@given(st.lists(EDGES, min_size=2, max_size=5))
def test_a_copy_goes_on_alone(ticks: list[list[tuple[int, int]]]) -> None:
    midas = MidasR()
    for edges in ticks[:-1]:
        tick(midas, edges)
    copied = midas.copy()
    first = tick(midas, ticks[-1])
    assert tick(copied, ticks[-1]) == first


def test_the_score_is_chi_squared_of_current_against_mean() -> None:
    """One edge, 10 ticks of one and then 8: current is 8 and what has not faded."""
    midas = MidasR()
    for _ in range(10):
        tick(midas, [(1, 2)])
    (score, *_) = tick(midas, [(1, 2)] * 8)
    current = 8 + sum(0.5**k for k in range(1, 11))
    mean = 18 / 11
    assert np.isclose(score, (current - mean) ** 2 * 11**2 / (18 * 10))


def test_a_new_busy_edge_outscores_old_ones() -> None:
    midas = MidasR()
    for _ in range(20):
        tick(midas, [(n, n + 1) for n in range(10)])
    scores = tick(midas, [(n, n + 1) for n in range(10)] + [(50, 60)] * 20)
    assert min(scores[10:]) > 10 * max(scores[:10])
