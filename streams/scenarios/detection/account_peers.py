"""Peers on a whole population: each account by itself, which is all that they can see.

Thresholds are calibrated on the accounts of another, purely ordinary population, for
one alarm in a thousand accounts. Statistics are those of
:mod:`streams.scenarios.detection.window_statistics` where an account has 25 requests
or more, over its first 60, on marker vectors (no text is left here); ``rate_limit`` is
the busiest hour; ``midas_r`` takes edges from account to template, 10 minutes a tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees
from scipy.stats import shapiro

from streams.contracts.time_units import MS_PER_HOUR
from streams.scenarios.chance import generator
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.midas import MidasR
from streams.scenarios.detection.prompt_vectors import marker_vectors
from streams.scenarios.detection.run import Simulated
from streams.scenarios.detection.window_statistics import median_width
from streams.scenarios.detection.windows import threshold
from streams.sketch.columns import sketch_columns

__all__ = ["PEER_TARGET", "PeerFigures", "account_peers"]

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]
PEER_TARGET: Final = 0.001
"""Alarms per ordinary account that thresholds are calibrated for."""
_LEAST, _MOST = 25, 60
_REFERENCE: Final = 300
_NEAR: Final = 0.01
_TICK: Final = MS_PER_HOUR // 6
_RIDGE: Final = 1e-3
_TREE_SEED: Final = 1


class PeerFigures(msgspec.Struct, frozen=True):
    """One peer: ordinary accounts alarmed, and accounts of each campaign."""

    name: str
    wrong: Rate
    campaigns: dict[str, Rate]


def account_peers(
    population: Simulated, ordinary: Simulated, *, seed: int
) -> tuple[PeerFigures, ...]:
    """Score all accounts of a population by every peer; ``ordinary`` calibrates."""
    here, there = _Accounts(population), _Accounts(ordinary)
    rng = generator(seed, "peers")
    reference = there.vectors(rng.choice(len(there.matrix), _REFERENCE))
    peers: Mapping[str, Callable[[_Accounts], Scores]] = {
        "rate_limit": _busiest_hour,
        "midas_r": _midas,
        **{name: _windowed(make(reference)) for name, make in _MAKERS.items()},
    }
    names = here.campaigns
    figures = []
    for name, scores in peers.items():
        limit = threshold(scores(there), PEER_TARGET)
        alarm = scores(here) > limit
        figures.append(
            PeerFigures(
                name,
                _rate(alarm[names == ""]),
                {
                    campaign: _rate(alarm[names == campaign])
                    for campaign in np.unique(names).tolist()
                    if campaign
                },
            )
        )
    return tuple(figures)


def _rate(alarm: NDArray[np.bool_]) -> Rate:
    return Rate.of(int(alarm.sum()), len(alarm))


class _Accounts:
    """The active accounts of a simulation, and their requests in order of time."""

    def __init__(self, made: Simulated) -> None:
        requests, world = made.events.requests, made.world
        sketches, _ = world.prompts.columns()
        matrix = np.frombuffer(b"".join(sketches), dtype=np.uint8)
        self.matrix = matrix.reshape(len(sketches), -1)
        self.prompt = requests.prompt
        self.time = requests.time
        self.heads = sketch_columns(self.matrix).head[requests.prompt]
        rows, self.account = np.unique(requests.account, return_inverse=True)
        self.campaigns = np.array(
            [world.traffic.accounts[row].campaign for row in rows.tolist()]
        )
        order = np.argsort(self.account, kind="stable")
        ends = np.searchsorted(self.account[order], np.arange(len(rows)) + 1)
        self.events = np.split(order, ends[:-1])

    def vectors(self, prompts: NDArray[np.int64]) -> Floats:
        """Give the marker vectors of prompts."""
        return marker_vectors(self.matrix[prompts])


def _busiest_hour(accounts: _Accounts) -> Scores:
    hours = accounts.time // MS_PER_HOUR
    return np.array(
        [np.bincount(hours[rows]).max() for rows in accounts.events],
        dtype=np.float64,
    )


def _midas(accounts: _Accounts) -> Scores:
    stream = MidasR()
    scores = np.zeros(len(accounts.events))
    edges = np.searchsorted(
        accounts.time, np.arange(0, accounts.time[-1] + _TICK, _TICK)
    )
    for rows in np.split(np.arange(len(accounts.time)), edges[1:-1]):
        if len(rows):
            found = stream.tick(accounts.account[rows], accounts.heads[rows])
            np.maximum.at(scores, accounts.account[rows], found)
    return scores


def _windowed(statistic: Callable[[Floats], float]) -> Callable[[_Accounts], Scores]:
    """Score accounts with enough requests; the others stay below every threshold."""

    def scores(accounts: _Accounts) -> Scores:
        return np.array(
            [
                statistic(accounts.vectors(accounts.prompt[rows[:_MOST]]))
                if len(rows) >= _LEAST
                else -np.inf
                for rows in accounts.events
            ]
        )

    return scores


def _squared(left: Floats, right: Floats) -> Floats:
    lengths = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(lengths - 2 * left @ right.T, 0), dtype=np.float32)


def _mmd(reference: Floats) -> Callable[[Floats], float]:
    gamma = median_width(reference)

    def statistic(window: Floats) -> float:
        """Unbiased within the window, so that its size does not tell."""
        within = np.exp(-gamma * _squared(window, window))
        n = len(window)
        across = float(np.exp(-gamma * _squared(window, reference)).mean())
        return (float(within.sum()) - n) / (n * (n - 1)) - 2 * across

    return statistic


def _mahalanobis(reference: Floats) -> Callable[[Floats], float]:
    centre = reference.mean(axis=0)
    spread = np.cov(reference.T.astype(np.float64))
    spread += _RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    inverse = np.linalg.inv(spread)

    def statistic(window: Floats) -> float:
        away = window.mean(axis=0) - centre
        return float(away @ inverse @ away)

    return statistic


def _nearest(window: Floats) -> Floats:
    squared = _squared(window, window)
    squared[np.triu_indices(len(window))] = np.inf
    return np.asarray(np.sqrt(squared[1:].min(axis=1)), dtype=np.float32)


def _seat(reference: Floats) -> Callable[[Floats], float]:
    squared = _squared(reference, reference)
    upper = squared[np.triu_indices(len(reference), 1)]
    near = float(np.sqrt(np.quantile(upper, _NEAR)))
    return lambda window: float((_nearest(window) <= near).mean())


def _prada(_: Floats) -> Callable[[Floats], float]:
    def statistic(window: Floats) -> float:
        nearest = _nearest(window)
        return 1 - float(shapiro(nearest).statistic) if np.ptp(nearest) else 1.0

    return statistic


def _trees(reference: Floats) -> Callable[[Floats], float]:
    trees: Any = HalfSpaceTrees(seed=_TREE_SEED)
    for row in reference.tolist():
        trees.learn_one(dict(enumerate(row)))

    def statistic(window: Floats) -> float:
        rows = window[:_LEAST].tolist()
        scores = [trees.score_one(dict(enumerate(row))) for row in rows]
        return float(np.mean(scores))

    return statistic


_MAKERS: Final[Mapping[str, Callable[[Floats], Callable[[Floats], float]]]] = {
    "markers_mmd": _mmd,
    "mahalanobis": _mahalanobis,
    "prada": _prada,
    "seat": _seat,
    "half_space_trees": _trees,
}
