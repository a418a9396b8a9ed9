from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts.time_units import MS_PER_DAY, MS_PER_HOUR
from streams.errors import ScenarioError
from streams.scenarios.arrivals import (
    ClientRates,
    Span,
    daily,
    jobs,
    lockstep,
    sessions,
    steady,
)

spans = st.builds(
    lambda start, length: Span(start, start + length),
    st.integers(0, 100 * MS_PER_HOUR),
    st.integers(MS_PER_HOUR, 80 * MS_PER_HOUR),
)
seeds = st.integers(0, 2**32)


@given(spans, st.integers(1, 300), seeds, st.floats(-12, 12))
@example(Span(0, 3_600_000), 1, 0, -5e-20)
def test_every_pace_gives_n_sorted_times_within_the_span(
    span: Span, n: int, seed: int, offset: float
) -> None:
    rng = np.random.default_rng(seed)
    starts = daily(rng, 4, span, "flat", offset)
    for times in (
        daily(rng, n, span, "day", offset),
        jobs(rng, n, span, starts),
        steady(rng, n, span, 0.6),
        lockstep(rng, n, span, MS_PER_HOUR // 3, 1234),
    ):
        assert len(times) == n
        assert (np.diff(times) >= 0).all()
        assert span.start <= times[0]
        assert times[-1] < span.end


@given(seeds, st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_sessions_keep_their_lengths_and_start_when_they_should(
    seed: int, lengths: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.integers(0, 10 * MS_PER_HOUR, len(lengths)))
    times, session = sessions(rng, starts, np.array(lengths), 30.0)
    assert (np.diff(times) >= 0).all()
    assert np.bincount(session).tolist() == lengths
    first = [times[session == n].min() for n in range(len(lengths))]
    assert first == starts.tolist()


def test_lockstep_callers_burst_together_and_steady_ones_do_not() -> None:
    rng = np.random.default_rng(3)
    span = Span(0, MS_PER_DAY)

    def busiest_share(times: list[np.ndarray[tuple[int], np.dtype[np.int64]]]) -> float:
        minutes = np.concatenate(times) // 60_000
        counts = np.sort(np.bincount(minutes))[::-1]
        return float(counts[:144].sum() / counts.sum())

    together = [lockstep(rng, 40, span, MS_PER_HOUR // 3, 0) for _ in range(30)]
    apart = [steady(rng, 40, span, 0.6) for _ in range(30)]
    assert busiest_share(together) > 0.95
    assert busiest_share(apart) < 0.35


def test_office_hours_are_busier_than_nights() -> None:
    times = daily(np.random.default_rng(1), 5000, Span(0, MS_PER_DAY), "office", 0.0)
    hours = np.bincount(times // MS_PER_HOUR, minlength=24)
    assert hours[9:16].sum() > 6 * hours[0:6].sum()


HEADER = "model,client,window_start_s,rate_rps,cv,iat_dist,p1,p2\n"


def rates(folder: Path, text: str) -> ClientRates | None:
    file = folder / "traces" / "servegen" / "client_rates.csv.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(text.encode()))
    return ClientRates.read(folder)


def test_measured_rates_shape_the_times_of_a_client(tmp_path: Path) -> None:
    # Busy in every other hour; a second client has too few windows to be of use.
    lines = [f"m,0,{w * 600},{w // 6 % 2},2.5,Gamma,1,1\n" for w in range(144)]
    found = rates(tmp_path, HEADER + "".join(lines) + "m,1,0,5,1,,0,0\n")
    assert found is not None
    assert len(found) == 1
    times = found.draw(np.random.default_rng(1), 600, Span(0, MS_PER_DAY))
    assert len(times) == 600
    assert (np.diff(times) >= 0).all()
    used = np.unique(times // 600_000)
    assert len(used) <= 72


def test_no_traces_are_no_error_but_broken_ones_are(tmp_path: Path) -> None:
    assert ClientRates.read(tmp_path) is None
    with pytest.raises(ScenarioError, match=r"client_rates\.csv\.gz"):
        rates(tmp_path, "nothing,of,the,kind\n1,2,3,4\n")
