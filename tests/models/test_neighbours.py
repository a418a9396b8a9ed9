import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.models.neighbours import (
    companions,
    crowded_share,
    expected_share,
    nearest,
)


def scattered(seed: int, count: int) -> np.ndarray:
    found = np.random.default_rng(seed).integers(0, 256, (count, 6))
    return found.astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30))
def test_counts_are_those_of_the_definition(seed: int, size: int, known: int) -> None:
    points, reference = scattered(seed, size), scattered(seed + 1, known)
    found = companions(points, nearest(points, reference))
    for at, point in enumerate(points):
        outside = ((reference - point) ** 2).sum(axis=1).min()
        others = ((np.delete(points, at, axis=0) - point) ** 2).sum(axis=1)
        assert found[at] == (others < outside).sum()


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_a_window_of_known_prompts_is_not_crowded(seed: int, size: int) -> None:
    reference = scattered(seed, size)
    window = reference[: size // 2 + 1]
    assert (companions(window, nearest(window, reference)) == 0).all()
    assert crowded_share(window, reference, 1) <= 0


def test_what_is_expected_is_seen_when_nothing_is_new() -> None:
    rng = np.random.default_rng(5)
    shares = []
    for _ in range(200):
        both = rng.normal(size=(120, 8)).astype(np.float32)
        shares.append(crowded_share(both[:40], both[40:], 2))
    assert abs(np.mean(shares)) < 0.1 * expected_share(40, 80, 2)


def test_a_new_kind_of_prompts_is_crowded_and_a_larger_share_of_old_ones_is_not() -> (
    None
):
    rng = np.random.default_rng(6)
    past = np.vstack([rng.normal(0, 1, (300, 8)), rng.normal(9, 1, (300, 8))])
    moved = np.vstack([rng.normal(0, 1, (50, 8)), rng.normal(9, 1, (150, 8))])
    new = np.vstack([moved[:150], rng.normal(-9, 1, (50, 8))])
    past, moved, new = (part.astype(np.float32) for part in (past, moved, new))
    assert crowded_share(moved, past, 8) < 0.02
    assert crowded_share(new, past, 8) > 0.2


def test_nothing_is_crowded_where_there_is_nothing() -> None:
    none, some = np.empty((0, 6), np.float32), scattered(1, 4)
    assert crowded_share(none, some, 1) == 0.0
    assert crowded_share(some, none, 1) == 0.0
    assert expected_share(1, 0, 1) == 0.0
