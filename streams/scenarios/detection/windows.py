"""The window test on the axes of arXiv 2606.05725: share of the attack, window size.

*Pooled* groups are independent draws from one pool of all benign corpora, as in the
paper. Reference prompts are in no window; calibration and test draw from the same other
prompts, since two finite halves of a pool differ by more than windows do. What fits a
combined statistic is drawn from them, too: this is a test of windows of a known pool,
as in the paper.

*Heterogeneous* groups are each a mixture of benign corpora of its own (Dirichlet), as a
product or a harness is; whole benign corpora are left out in turn: reference and
thresholds come from the others only. The reference comes from half of those, since a
threshold of groups that the reference knows is none for groups that it does not. No
attack family is ever used to set anything. A window of an attack has the group's own
benign prompts, and a share of one family's.

A heterogeneous group has a *past*: prompts that are in no window, drawn from its
mixture as it was. In the window the mixture has moved, at random (`DRIFT`), whether
there is an attack or not. A campaign that was there before the past began is not
simulated: nothing in a group's own past would show it.

Windows are drawn with replacement from finite pools, as in the paper: they overlap, so
rates are less certain than the intervals say, and repeats of a small family's prompts
flatter what looks for near queries.
"""

from __future__ import annotations

from collections import Counter
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
    Window,
    WindowStatistics,
)

__all__ = [
    "DRIFT",
    "TARGETS",
    "WindowFigures",
    "WindowPlan",
    "threshold",
    "window_test",
]

Ints = NDArray[np.int64]
Groups = Literal["pooled", "heterogeneous"]
TARGETS: Final[dict[Groups, float]] = {"pooled": 0.003, "heterogeneous": 0.01}
"""False-positive rates that thresholds are calibrated for."""
_CONCENTRATION: Final = 0.3
"""Of the Dirichlet mixtures: most groups are mainly of one or two corpora."""
DRIFT: Final = 10.0
"""Concentration of a window's mixture around that of the group's past. Five corpora
then move by 13 % in total variation (median; 27 % at the 90th percentile). Prompt
lengths of groups of 20 real API clients (ServeGen) move by 9 to 20 % from one day to
the next six hours, 22 to 51 % at the 90th percentile (Kolmogorov distance, a lower
bound), so the largest moves of real groups are larger than these."""
_LEAST_SHARE: Final = 1e-3
"""Keeps every parameter of a Dirichlet distribution above 0."""


class WindowPlan(NamedTuple):
    """Sizes of the test; ``attacks`` windows of each family, share and window.

    A large ``reference`` pays: what it is off the pool by hides small shares.
    ``fitting`` benign windows put the parts of a combined statistic on one scale; they
    are none of those that set its threshold. ``history`` is prompts of a group's past.
    """

    shares: Sequence[float] = (0.05, 0.1, 0.25, 0.5, 1.0)
    windows: Sequence[int] = (100, 200, 500, 1000, 1500)
    calibration: int = 1000
    benign: int = 700
    attacks: int = 50
    reference: int = 4000
    folds: int = 3
    fitting: int = 500
    history: int = 1500
    statistics: Sequence[str] = STATISTICS


class WindowFigures(msgspec.Struct, frozen=True):
    """One cell; ``fpr`` is of benign windows of this size, whatever the share.

    ``families`` is the share of windows found of each attack family.
    """

    statistic: str
    groups: Groups
    share: float
    window: int
    fpr: Rate
    tpr: Rate
    target: float
    families: dict[str, float] = {}


class _Cell:
    """Alarms and windows of a cell, over the folds."""

    def __init__(self) -> None:
        self.wrong = [0, 0]
        self.found: dict[str, list[int]] = {}

    def figures(
        self, statistic: str, groups: Groups, share: float, window: int
    ) -> WindowFigures:
        """Turn counts into rates."""
        hits, trials = map(sum, zip(*self.found.values(), strict=True))
        rates = {name: round(hit / of, 4) for name, (hit, of) in self.found.items()}
        return WindowFigures(
            statistic, groups, share, window,
            Rate.of(*self.wrong), Rate.of(hits, trials), TARGETS[groups], rates,
        )  # fmt: skip


def threshold(scores: NDArray[np.float64], target: float) -> float:
    """Give the smallest threshold whose alarms (above it) keep to a conformal rate.

    With too few scores for the target it is the largest score.

    >>> threshold(np.arange(999.0), 0.003)
    996.0
    """
    rank = int(np.ceil((len(scores) + 1) * (1 - target)))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


class _Fold(NamedTuple):
    """Rows of the pool by use."""

    reference: Ints
    calibration: _Benign
    test: _Benign


class _Benign(NamedTuple):
    """Rows of benign corpora that windows are drawn from, and those of their past.

    Pooled groups have no mixture of their own, so nothing drifts (``drift`` is None).
    """

    windows: list[Ints]
    past: list[Ints]
    drift: float | None = DRIFT


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
        cells: dict[tuple[str, float, int], _Cell] = {}
        rng = generator(seed, "windows", groups)
        for fold in _folds(pool, plan, groups, rng):
            statistics = WindowStatistics(pool, fold.reference, plan.statistics)
            for window in plan.windows:
                drawn = _drawn(pool, plan, groups, fold=fold, window=window, rng=rng)
                _count(
                    statistics, pool, groups, window=window, drawn=drawn, cells=cells
                )
                done += 1
                progress("windows", done, total)
        figures += [
            cell.figures(name, groups, share, window)
            for (name, share, window), cell in cells.items()
        ]
    return tuple(figures)


def _folds(
    pool: PromptPool, plan: WindowPlan, groups: Groups, rng: np.random.Generator
) -> Iterator[_Fold]:
    """Split benign prompts: at random when pooled, else by whole corpora in turn."""
    benign = pool.rows(hostile=False)
    if groups == "pooled":
        shuffled = rng.permutation(benign)
        reference = min(plan.reference, len(shuffled) // 2)
        kept = shuffled[:reference]
        held_out = _Benign([shuffled[reference:]], [kept], drift=None)
        yield _Fold(kept, held_out, held_out)
        return
    corpora = rng.permutation(np.flatnonzero(~pool.hostile))
    for left_out in np.array_split(corpora, plan.folds):
        others = rng.permutation(np.setdiff1d(corpora, left_out))
        of_reference, past, windows = _parts(pool, others, 3, rng)
        known = of_reference[: max(1, len(others) // 2)]
        joined = rng.permutation(np.concatenate(known))[: plan.reference]
        test_past, test_windows = _parts(pool, left_out, 2, rng)
        yield _Fold(joined, _Benign(windows, past), _Benign(test_windows, test_past))


def _parts(
    pool: PromptPool, corpora: Ints, parts: int, rng: np.random.Generator
) -> list[list[Ints]]:
    """Split each corpus into so many parts; give the list of corpora of each part."""
    made: list[list[Ints]] = [[] for _ in range(parts)]
    for corpus in corpora:
        rows = rng.permutation(np.flatnonzero(pool.corpus == corpus))
        for part, found in zip(made, np.array_split(rows, parts), strict=True):
            part.append(found if len(found) else rows)
    return made


class _Drawn(NamedTuple):
    """Windows of one size: to fit and to set the threshold by, benign ones, attacks.

    ``families`` is the family of each attack, the same ones for every share.
    """

    fitting: list[Window]
    calibration: list[Window]
    benign: list[Window]
    families: Ints
    attacks: dict[float, list[Window]]


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
    each = max(1, plan.attacks // parts)
    families = np.flatnonzero(pool.hostile).repeat(each)
    prompts = [np.flatnonzero(pool.corpus == family) for family in families]
    history = plan.history

    def ordinary(benign: _Benign) -> Window:
        return _group(benign, window, history, rng)

    return _Drawn(
        [ordinary(fold.calibration) for _ in range(plan.fitting)],
        [ordinary(fold.calibration) for _ in range(plan.calibration)],
        [ordinary(fold.test) for _ in range(plan.benign // parts)],
        families,
        {
            share: [
                _attacked(ordinary(fold.test), of_family, share, rng)
                for of_family in prompts
            ]
            for share in plan.shares
        },
    )


def _count(
    statistics: WindowStatistics,
    pool: PromptPool,
    groups: Groups,
    *,
    window: int,
    drawn: _Drawn,
    cells: dict[tuple[str, float, int], _Cell],
) -> None:
    """Add alarms and windows: benign ones, then attacks."""
    statistics.fit(drawn.fitting)
    for name in statistics.names:
        scores = statistics.score(name, drawn.calibration)
        limit = threshold(scores, TARGETS[groups])
        wrong = int((statistics.score(name, drawn.benign) > limit).sum())
        for share, hostile in drawn.attacks.items():
            alarms = statistics.score(name, hostile) > limit
            cell = cells.setdefault((name, share, window), _Cell())
            cell.wrong[0] += wrong
            cell.wrong[1] += len(drawn.benign)
            met = Counter(drawn.families.tolist())
            right = Counter(drawn.families[alarms].tolist())
            for family, trials in met.items():
                found = cell.found.setdefault(pool.names[family], [0, 0])
                found[0] += right[family]
                found[1] += trials


def _group(
    benign: _Benign, size: int, history: int, rng: np.random.Generator
) -> Window:
    """Draw a window of one group, and its past: a mixture of corpora of its own."""
    before = rng.dirichlet(np.full(len(benign.windows), _CONCENTRATION))
    now = before
    if benign.drift is not None:
        now = rng.dirichlet(benign.drift * before + _LEAST_SHARE)
    past = _mixed(benign.past, before, history, rng)
    return Window(_mixed(benign.windows, now, size, rng), past)


def _mixed(
    corpora: list[Ints],
    shares: NDArray[np.float64],
    size: int,
    rng: np.random.Generator,
) -> Ints:
    sizes = rng.multinomial(size, shares)
    drawn = [
        rng.choice(rows, count)
        for rows, count in zip(corpora, sizes, strict=True)
        if count
    ]
    return rng.permutation(np.concatenate(drawn))


def _attacked(
    window: Window, family: Ints, share: float, rng: np.random.Generator
) -> Window:
    """Put prompts of a family in the place of a share of a window's."""
    hostile = round(share * len(window.rows))
    rows = np.concatenate([rng.choice(family, hostile), window.rows[hostile:]])
    return window._replace(rows=rng.permutation(rows))
