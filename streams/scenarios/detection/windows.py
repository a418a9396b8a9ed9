"""The window test on the axes of arXiv 2606.05725: share of the attack, window size.

*Pooled* groups are independent draws from one pool of all benign corpora, as in the
paper. Reference prompts are in no window; calibration and test draw from the same other
prompts, since two finite halves of a pool differ by more than windows do.
*Heterogeneous* groups are each a mixture of benign corpora of its own (Dirichlet), as a
product or a harness is; whole benign corpora are left out in turn: reference and
thresholds come from the others only. No attack family is ever used to set anything. A
window of an attack has the group's own benign prompts, and a share of one family's.

Windows are drawn with replacement from finite pools, as in the paper: they overlap, so
rates are less certain than the intervals say, and repeats of a small family's prompts
flatter what looks for near queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.scenarios.chance import generator
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.prompt_vectors import PromptPool
from streams.scenarios.detection.window_statistics import (
    STATISTICS,
    WindowStatistics,
)

__all__ = ["TARGETS", "WindowFigures", "WindowPlan", "threshold", "window_test"]

Ints = NDArray[np.int64]
Groups = Literal["pooled", "heterogeneous"]
TARGETS: Final[dict[Groups, float]] = {"pooled": 0.003, "heterogeneous": 0.01}
"""False-positive rates that thresholds are calibrated for."""
_CONCENTRATION: Final = 0.3
"""Of the Dirichlet mixtures: most groups are mainly of one or two corpora."""


class WindowPlan(NamedTuple):
    """Sizes of the test; ``attacks`` windows of each family, share and window.

    A large ``reference`` pays: what it is off the pool by hides small shares.
    """

    shares: Sequence[float] = (0.05, 0.1, 0.25, 0.5, 1.0)
    windows: Sequence[int] = (100, 200, 500, 1000, 1500)
    calibration: int = 1000
    benign: int = 700
    attacks: int = 50
    reference: int = 2000
    folds: int = 3
    statistics: Sequence[str] = STATISTICS


class WindowFigures(msgspec.Struct, frozen=True):
    """One cell; ``fpr`` is of benign windows of this size, whatever the share."""

    statistic: str
    groups: Groups
    share: float
    window: int
    fpr: Rate
    tpr: Rate
    target: float


def threshold(scores: NDArray[np.float64], target: float) -> float:
    """Give the smallest threshold whose alarms (above it) keep to a conformal rate.

    With too few scores for the target it is the largest score.

    >>> threshold(np.arange(999.0), 0.003)
    996.0
    """
    rank = int(np.ceil((len(scores) + 1) * (1 - target)))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


class _Fold(NamedTuple):
    """Rows of the pool by use, each a list of corpora."""

    reference: Ints
    calibration: list[Ints]
    test: list[Ints]


def window_test(
    pool: PromptPool,
    plan: WindowPlan,
    *,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> tuple[WindowFigures, ...]:
    """Run every statistic over every cell of both kinds of groups."""
    done = 0
    total = (1 + plan.folds) * len(plan.windows)
    figures = []
    for groups in ("pooled", "heterogeneous"):
        counts: dict[tuple[str, float, int], list[int]] = {}
        rng = generator(seed, "windows", groups)
        for fold in _folds(pool, plan, groups, rng):
            statistics = WindowStatistics(pool, fold.reference, plan.statistics)
            for window in plan.windows:
                drawn = _drawn(pool, plan, groups, fold=fold, window=window, rng=rng)
                _count(
                    statistics, plan, groups, window=window, drawn=drawn, counts=counts
                )
                done += 1
                progress("windows", done, total)
        figures += [
            WindowFigures(
                name, groups, share, window, Rate.of(*found[:2]), Rate.of(*found[2:]),
                TARGETS[groups],
            )
            for (name, share, window), found in counts.items()
        ]  # fmt: skip
    return tuple(figures)


def _folds(
    pool: PromptPool, plan: WindowPlan, groups: Groups, rng: np.random.Generator
) -> Iterator[_Fold]:
    """Split benign prompts: at random when pooled, else by whole corpora in turn."""
    benign = pool.rows(hostile=False)
    if groups == "pooled":
        shuffled = rng.permutation(benign)
        reference = min(plan.reference, len(shuffled) // 2)
        held_out = shuffled[reference:]
        yield _Fold(shuffled[:reference], [held_out], [held_out])
        return
    corpora = rng.permutation(np.flatnonzero(~pool.hostile))
    for left_out in np.array_split(corpora, plan.folds):
        of_reference, calibration = [], []
        for corpus in np.setdiff1d(corpora, left_out):
            rows = rng.permutation(np.flatnonzero(pool.corpus == corpus))
            half = max(1, len(rows) // 2)
            of_reference.append(rows[:half])
            calibration.append(rows[half:] if len(rows) > 1 else rows)
        joined = rng.permutation(np.concatenate(of_reference))[: plan.reference]
        test = [np.flatnonzero(pool.corpus == corpus) for corpus in left_out]
        yield _Fold(joined, calibration, test)


class _Drawn(NamedTuple):
    """Windows of one size: to set the threshold by, benign ones, attacks by share."""

    calibration: list[Ints]
    benign: list[Ints]
    attacks: dict[float, list[Ints]]


def _drawn(
    pool: PromptPool,
    plan: WindowPlan,
    groups: Groups,
    *,
    fold: _Fold,
    window: int,
    rng: np.random.Generator,
) -> _Drawn:
    parts = plan.folds if groups == "heterogeneous" else 1
    families = [
        np.flatnonzero(pool.corpus == family) for family in np.flatnonzero(pool.hostile)
    ]
    return _Drawn(
        [_group(fold.calibration, window, rng) for _ in range(plan.calibration)],
        [_group(fold.test, window, rng) for _ in range(plan.benign // parts)],
        {
            share: [
                _attack(fold.test, family, share, window, rng)
                for family in families
                for _ in range(max(1, plan.attacks // parts))
            ]
            for share in plan.shares
        },
    )


def _count(
    statistics: WindowStatistics,
    plan: WindowPlan,
    groups: Groups,
    *,
    window: int,
    drawn: _Drawn,
    counts: dict[tuple[str, float, int], list[int]],
) -> None:
    """Add alarms and windows: benign ones, then attacks."""
    for name in plan.statistics:
        scores = statistics.score(name, drawn.calibration)
        limit = threshold(scores, TARGETS[groups])
        wrong = int((statistics.score(name, drawn.benign) > limit).sum())
        for share, hostile in drawn.attacks.items():
            right = int((statistics.score(name, hostile) > limit).sum())
            cell = counts.setdefault((name, share, window), [0, 0, 0, 0])
            found = (wrong, len(drawn.benign), right, len(hostile))
            for at, value in enumerate(found):
                cell[at] += value


def _group(corpora: list[Ints], size: int, rng: np.random.Generator) -> Ints:
    """Draw a window of one group: a mixture of corpora of its own."""
    shares = rng.dirichlet(np.full(len(corpora), _CONCENTRATION))
    sizes = rng.multinomial(size, shares)
    drawn = [
        rng.choice(rows, count)
        for rows, count in zip(corpora, sizes, strict=True)
        if count
    ]
    return rng.permutation(np.concatenate(drawn))


def _attack(
    corpora: list[Ints], family: Ints, share: float, size: int, rng: np.random.Generator
) -> Ints:
    """Draw a window in which a share of a group's prompts is a family's."""
    hostile = round(share * size)
    mixed = [rng.choice(family, hostile)]
    if hostile < size:
        mixed.append(_group(corpora, size - hostile, rng))
    return rng.permutation(np.concatenate(mixed))
