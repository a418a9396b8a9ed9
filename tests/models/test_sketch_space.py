import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streams.models.sketch_space import (
    BIT_STEP,
    DIMENSIONS,
    SketchSpace,
    squared_distances,
)
from streams.sketch.layout import RATIOS

ratios = arrays(np.uint8, st.tuples(st.integers(1, 40), st.just(len(RATIOS))))


@given(ratios, ratios)
def test_ranks_are_bounded_and_keep_the_order(
    benign: np.ndarray, others: np.ndarray
) -> None:
    space = SketchSpace(benign)
    points = space.points(np.zeros(len(others), np.uint32), others)
    ranks = points[:, 32:]
    assert points.shape == (len(others), DIMENSIONS)
    assert ranks.min() >= 0
    assert ranks.max() <= 255
    for column in range(len(RATIOS)):
        order = np.argsort(others[:, column], kind="stable")
        assert (np.diff(ranks[order, column]) >= 0).all()


def test_each_marker_bit_has_its_own_coordinate() -> None:
    space = SketchSpace(np.zeros((1, len(RATIOS)), np.uint8))
    markers = np.uint32(1) << np.arange(32, dtype=np.uint32)
    points = space.points(markers, np.zeros((32, len(RATIOS)), np.uint8))
    assert np.array_equal(points[:, :32], np.eye(32, dtype=np.float32) * BIT_STEP)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20))
def test_distances_are_exact(seed: int, left: int, right: int) -> None:
    rng = np.random.default_rng(seed)
    space = SketchSpace(rng.integers(0, 256, (9, len(RATIOS)), dtype=np.uint8))

    def some(count: int) -> np.ndarray:
        bits = rng.integers(0, 2**32, count, dtype=np.uint32)
        return space.points(
            bits, rng.integers(0, 256, (count, len(RATIOS)), dtype=np.uint8)
        )

    here, there = some(left), some(right)
    apart = here[:, None].astype(np.int64) - there[None].astype(np.int64)
    assert np.array_equal(squared_distances(here, there), (apart**2).sum(axis=2))
