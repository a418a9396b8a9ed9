"""When requests come: daily rhythm, sessions, jobs, bursts, and measured client rates.

All times are milliseconds since the scenario's start, as sorted ``int64`` arrays.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streams.contracts.time_units import (
    HOURS_PER_DAY,
    MS_PER_HOUR,
    MS_PER_MINUTE,
)
from streams.errors import ScenarioError

__all__ = [
    "ClientRates",
    "Span",
    "daily",
    "jobs",
    "lockstep",
    "sessions",
    "steady",
]

Times = NDArray[np.int64]

WINDOW = 10 * MS_PER_MINUTE
"""Window of the measured client rates."""

CV_RANGE = (0.3, 10.0)
"""Variation of gaps that is taken over; the fits beyond are of a few requests."""

PROFILES: dict[str, tuple[float, ...]] = {
    # Relative activity by local hour of day, 0 to 23.
    "day": (
        3, 2, 1, 1, 1, 2, 3, 5, 7, 9, 10, 10, 9, 10, 10, 9, 9, 8, 8, 9, 10, 9, 7, 5,
    ),
    "office": (
        1, 1, 1, 1, 1, 1, 2, 4, 9, 12, 12, 11, 8, 11, 12, 12, 10, 7, 4, 3, 2, 2, 1, 1,
    ),
    "flat": (1,) * HOURS_PER_DAY,
}  # fmt: skip


class Span(NamedTuple):
    """A stretch of the scenario, in milliseconds since its start."""

    start: int
    end: int


def daily(
    rng: np.random.Generator, n: int, span: Span, profile: str, offset: float
) -> Times:
    """``n`` times that follow a daily profile; ``offset`` is the local UTC offset in h.

    >>> span = Span(0, 24 * MS_PER_HOUR)
    >>> times = daily(np.random.default_rng(1), 9, span, "office", 0)
    >>> (times // MS_PER_HOUR).tolist()
    [8, 10, 11, 11, 13, 13, 16, 19, 19]
    """
    edges = np.arange(span.start, span.end, MS_PER_HOUR // 2, dtype=np.int64)
    edges = np.append(edges, span.end)
    # The modulus of a hair below 0 is rounded up to a whole day: hour 0, not 24.
    local = (edges[:-1] / MS_PER_HOUR + offset) % HOURS_PER_DAY
    hour = local.astype(np.int64) % HOURS_PER_DAY
    weight = np.asarray(PROFILES[profile])[hour] * np.diff(edges)
    cumulative = np.concatenate(([0.0], np.cumsum(weight)))
    drawn = rng.random(n) * cumulative[-1]
    return np.sort(np.interp(drawn, cumulative, edges).astype(np.int64))


def sessions(
    rng: np.random.Generator, starts: Times, lengths: NDArray[np.int64], gap: float
) -> tuple[Times, NDArray[np.int64]]:
    """Draw requests of sessions, ``gap`` seconds apart in the median.

    The times are sorted; the second array gives each request's index in ``starts``.
    """
    total = int(lengths.sum())
    session = np.repeat(np.arange(len(starts)), lengths)
    gaps = rng.lognormal(np.log(gap * 1000), 0.9, total).astype(np.int64)
    first = np.cumsum(lengths) - lengths
    gaps[first] = 0
    run = np.cumsum(gaps)
    times = starts[session] + run - np.repeat(run[first], lengths)
    order = np.argsort(times, kind="stable")
    return times[order], session[order]


def jobs(rng: np.random.Generator, n: int, span: Span, starts: Times) -> Times:
    """``n`` requests in batch jobs, each job as fast as its client goes."""
    job = np.sort(rng.integers(0, len(starts), n))
    pace = rng.lognormal(np.log(4000), 1.0, len(starts))
    gaps = rng.gamma(2.0, 0.5, n) * pace[job]
    run = np.cumsum(gaps)
    first = np.searchsorted(job, np.arange(len(starts)))
    base = run[np.minimum(first, n - 1)]
    times = starts[job] + (run - base[job]).astype(np.int64)
    return np.sort(np.clip(times, span.start, span.end - 1))


def steady(rng: np.random.Generator, n: int, span: Span, jitter: float) -> Times:
    """``n`` evenly spaced times, each moved by up to ``jitter`` spacings."""
    spacing = (span.end - span.start) / max(n, 1)
    grid = (np.arange(n) + rng.random() + jitter * (rng.random(n) - 0.5)) * spacing
    times = span.start + grid.astype(np.int64)
    return np.sort(np.clip(times, span.start, span.end - 1))


def lockstep(
    rng: np.random.Generator, n: int, span: Span, period: int, phase: int
) -> Times:
    """``n`` times in bursts every ``period`` milliseconds, some 40 s wide.

    All callers with the same ``period`` and ``phase`` burst together.
    """
    first = -(-(span.start - phase) // period)
    count = max(1, (span.end - phase) // period - first)
    slots = first + np.floor((np.arange(n) + rng.random()) * count / max(n, 1))
    times = slots.astype(np.int64) * period + phase
    times += rng.exponential(20_000, n).astype(np.int64)
    return np.sort(np.clip(times, span.start, span.end - 1))


class ClientRates:
    """Measured request rates of real API clients, in windows of ten minutes.

    Reads ``traces/servegen/client_rates.csv.gz`` (ServeGen, Apache-2.0): for each
    client and window the rate and the coefficient of variation of the gaps. A client's
    *shape over time* is used; the number of requests is the scenario's.
    """

    def __init__(
        self, clients: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    ) -> None:
        self._clients = clients

    def __len__(self) -> int:
        return len(self._clients)

    @classmethod
    def read(cls, folder: Path) -> ClientRates | None:
        """Read the rates below a corpus folder; None when it has none."""
        file = folder / "traces" / "servegen" / "client_rates.csv.gz"
        if not file.is_file():
            return None
        try:
            with gzip.open(file) as handle:
                table = pl.read_csv(
                    handle.read(),
                    columns=["model", "client", "rate_rps", "cv"],
                    infer_schema_length=None,
                )
        except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
            raise ScenarioError(f"{file}: {error}") from error
        clients = []
        for part in table.partition_by("model", "client", maintain_order=True):
            rate: NDArray[np.float64] = part["rate_rps"].fill_null(0).to_numpy()
            if np.count_nonzero(rate) < HOURS_PER_DAY:
                continue
            cv: NDArray[np.float64] = part["cv"].fill_null(1).to_numpy()
            clients.append((rate, cv.clip(*CV_RANGE)))
        return cls(clients) if clients else None

    def draw(self, rng: np.random.Generator, n: int, span: Span) -> Times:
        """``n`` times of one client, from a random part of its record."""
        rate, cv = self._clients[rng.integers(len(self._clients))]
        windows = -(-(span.end - span.start) // WINDOW)
        shift = int(rng.integers(len(rate)))
        index = (np.arange(windows) + shift) % len(rate)
        weight = rate[index]
        if not weight.sum():
            return steady(rng, n, span, 1.0)
        counts = rng.multinomial(n, weight / weight.sum())
        times = [
            span.start + window * WINDOW + self._within(rng, count, cv[index[window]])
            for window, count in enumerate(counts)
            if count
        ]
        joined = np.concatenate(times) if times else np.zeros(0, dtype=np.int64)
        return np.sort(np.clip(joined, span.start, span.end - 1))

    @staticmethod
    def _within(rng: np.random.Generator, count: int, cv: float) -> Times:
        """Draw times within a window, with gamma gaps of the measured variation."""
        gaps = rng.gamma(1 / cv**2, 1.0, count + 1) + 1e-9
        run = np.cumsum(gaps)
        times: Times = (run[:-1] / run[-1] * WINDOW).astype(np.int64)
        return times
