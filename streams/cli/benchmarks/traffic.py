"""The traffic of the benchmarks: many populations of the hydra scenario side by side.

The hydra scenario is simulated once and its accounts are repeated in *populations* that
share nothing: ids, networks, payments and keyed hashes of prompts differ by population,
TLS fingerprints and common clients do not. Campaign accounts keep their requests, and
there are as many of them as keep hydra's share of campaign exchanges. An ordinary
account sends one request, and what is left is shared out by a Zipf law over ranks;
accounts that send much in the scenario take the first ranks. The last event of each
partition lies two minutes behind all others, so that every other minute is closed.
"""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.contracts import load_topics, read_container, write_container
from streams.contracts.schemas import fingerprint, schema
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.murmur2 import partition_of
from streams.scenarios.scenario import load, source
from streams.scenarios.simulate import EVENTS, TRUTH, simulate
from streams.sketch.layout import SKETCH_BYTES, SKETCH_DTYPE

__all__ = [
    "FULL",
    "QUICK",
    "Size",
    "cached_traffic",
    "last_minute",
    "make_traffic",
    "write_live",
]

Ints = npt.NDArray[np.int64]
Progress = Callable[[str, int, int], None]

SCENARIO: Final = "hydra"
ZIPF_EXPONENT: Final = 1.0
"""Requests of rank r are proportional to 1/r: the law's classic case, and a first rank
of some 5 % of all requests at 200,000 accounts."""
_LAYOUT: Final = 3  # of what this file makes; a cached file of another one is stale
_SEED: Final = 20_260_302
_CLOSING_GAP: Final = 2 * MS_PER_MINUTE  # so that one is certainly closed
_BATCH: Final = 20_000
_HASHES_AT: Final = int(np.dtype(SKETCH_DTYPE).fields["system"][1])  # type: ignore[index]  # it has fields
_REKEYED: Final = ("account_id", "organization_id", "api_key_id", "payment", "network",
                   "conversation_id")  # fmt: skip
_OWN_CLIENT: Final = r"^app/[0-9a-f]{8}$"


class Size(NamedTuple):
    """How much traffic."""

    events: int
    accounts: int


FULL: Final = Size(1_000_000, 200_000)
QUICK: Final = Size(60_000, 12_000)


def cached_traffic(
    size: Size, progress: Progress = lambda _step, _done, _total: None
) -> Path:
    """Give the container of ``size``; made at first, then kept in a temporary folder.

    The name tells what it was made from, so a changed scenario or schema makes another.
    """
    made_from = (*size, _LAYOUT, _SEED, fingerprint(schema("RequestEvent")))
    base = source("calm")[1] + source(SCENARIO)[1]
    digest = hashlib.blake2b(repr(made_from).encode() + base, digest_size=6)
    folder = Path(gettempdir()) / f"distillwatch-benchmark-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{SCENARIO}-{size.events}-{digest.hexdigest()}.avro"
    if not file.exists():
        make_traffic(file, size, progress)
    return file


def last_minute(file: Path) -> int:
    """Give the last minute that is closed when all of the traffic is read."""
    *_, frame = read_container(file)
    return int(frame["occurred_at"].to_numpy()[-1]) // MS_PER_MINUTE - 1


def make_traffic(file: Path, size: Size, progress: Progress) -> None:
    """Simulate the scenario and write ``size`` of it to a container, by time."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        simulate(load(SCENARIO), folder, progress=progress)
        events = pl.concat(read_container(folder / EVENTS))
        truth = pl.read_csv(folder / TRUTH)
    guilty = set(truth.filter(pl.col("campaign").fill_null("") != "")["account_id"])
    plan = _Plan(events, guilty, size, np.random.default_rng(_SEED))

    def counted(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        done = 0
        for frame in frames:
            yield frame
            done += len(frame)
            progress("traffic", done, size.events)

    write_container(file, "RequestEvent", counted(plan.frames()))


def write_live(traffic: Path, file: Path, *, skip: int, rate: float) -> None:
    """Write what follows the first ``skip`` events as if ``rate`` came in a second.

    Event time goes on from the next minute.
    """
    events = pl.concat(read_container(traffic)).slice(skip)
    begin = (int(events["occurred_at"][0]) // MS_PER_MINUTE + 1) * MS_PER_MINUTE
    times = begin + (np.arange(len(events)) * (1000 / rate)).astype(np.int64)
    live = events.with_columns(occurred_at=pl.Series(times))
    write_container(file, "RequestEvent", live.iter_slices(_BATCH))


class _Plan:
    """Which row of the scenario each event repeats, for which population, and when."""

    def __init__(
        self,
        events: pl.DataFrame,
        guilty: set[str],
        size: Size,
        rng: np.random.Generator,
    ) -> None:
        self._events = events.with_row_index("row").sort("account_id", "row")
        self._rng = rng
        names = self._events["account_id"].rle().struct.unnest()
        self._lengths: Ints = names["len"].to_numpy().astype(np.int64)
        self._starts: Ints = np.cumsum(self._lengths) - self._lengths
        is_guilty = names["value"].is_in(list(guilty)).to_numpy()
        partitions = load_topics()["llm.requests"].partitions
        self._closing = _closing_accounts(partitions)
        wanted = size.events - partitions
        share = float(self._lengths[is_guilty].sum() / len(events))
        campaign = self._campaign(np.flatnonzero(is_guilty), round(wanted * share))
        left = wanted - int(self._lengths[campaign[0]].sum())
        accounts = size.accounts - len(campaign[0]) - partitions
        ordinary = self._ordinary(np.flatnonzero(~is_guilty), accounts)
        counts = self._zipf(self._lengths[ordinary[0]], left)
        account = np.concatenate([campaign[0], ordinary[0]])
        population = np.concatenate([campaign[1], ordinary[1]])
        repeats = np.concatenate([self._lengths[campaign[0]], counts])
        self._lay_out(account, population, repeats)

    def _campaign(self, accounts: Ints, events: int) -> tuple[Ints, Ints]:
        """Take campaign accounts, population by population, up to so many events."""
        order = self._rng.permutation(accounts)
        populations = 1 + events // int(self._lengths[accounts].sum())
        taken, population = _populations(order, populations * len(order))
        whole = np.cumsum(self._lengths[taken]) <= events
        return taken[whole], population[whole]

    def _ordinary(self, accounts: Ints, count: int) -> tuple[Ints, Ints]:
        return _populations(self._rng.permutation(accounts), count)

    def _zipf(self, busy: Ints, events: int) -> Ints:
        """Share ``events`` out: one each, the rest by rank; the busiest come first."""
        noise = self._rng.random(len(busy))
        rank = np.empty(len(busy), np.int64)
        rank[np.lexsort((noise, -busy))] = np.arange(1, len(busy) + 1)
        weight = rank.astype(np.float64) ** -ZIPF_EXPONENT
        drawn = self._rng.multinomial(events - len(busy), weight / weight.sum())
        return drawn.astype(np.int64) + 1

    def _lay_out(self, account: Ints, population: Ints, repeats: Ints) -> None:
        """Give each event its row, population, cycle and time; sort by time."""
        total = int(repeats.sum())
        first = np.repeat(np.cumsum(repeats) - repeats, repeats)
        number = np.arange(total) - first
        length = np.repeat(self._lengths[account], repeats)
        # An account begins anywhere in its source's record, and goes round.
        shift = np.repeat(self._rng.integers(0, 1 << 30, len(account)), repeats)
        whole = np.repeat(repeats == self._lengths[account], repeats)
        place = np.where(whole, number, (number + shift) % length)
        cycle = number // length
        row = np.repeat(self._starts[account], repeats) + place
        times = self._events["occurred_at"].to_numpy()
        begin, end = int(times.min()), int(times.max())
        span = end - begin + 1
        moved = self._rng.integers(0, span, total)
        offset = times[row] - begin
        time = begin + np.where(cycle > 0, (offset + moved) % span, offset)
        order = np.lexsort((np.arange(total), time))
        self._row, self._time = row[order], time[order]
        self._cycle = cycle[order]
        self._population = np.repeat(population, repeats)[order]

    def frames(self) -> Iterator[pl.DataFrame]:
        """Give the events, by time, and the closing ones."""
        total = len(self._row)
        for start in range(0, total, _BATCH):
            yield self._frame(start, min(start + _BATCH, total))
        last = self._frame(total - 1, total)
        closing = pl.concat([last] * len(self._closing))
        closed = int(self._time[-1]) // MS_PER_MINUTE * MS_PER_MINUTE + _CLOSING_GAP
        yield closing.with_columns(
            account_id=pl.Series(self._closing),
            event_id=pl.Series([f"{number:032x}" for number in range(len(closing))]),
            occurred_at=pl.lit(closed, pl.Int64),
        )

    def _frame(self, start: int, end: int) -> pl.DataFrame:
        frame = self._events[self._row[start:end]].drop("row")
        population = self._population[start:end]
        prefix = pl.Series("prefix", [f"{number:02x}" for number in population])
        number = pl.Series("n", [f"{n:08x}" for n in range(start + 16, end + 16)])
        rekeyed = [(prefix + frame[name].str.slice(2)).alias(name) for name in _REKEYED]
        own = frame["client"].str.contains(_OWN_CLIENT).fill_null(value=False)
        client = "app/" + prefix + frame["client"].str.slice(6)
        return frame.with_columns(
            *rekeyed,
            (number + frame["event_id"].str.slice(8)).alias("event_id"),
            frame["client"].zip_with(~own, client).alias("client"),
            occurred_at=pl.Series(self._time[start:end]),
            sketch=self._sketches(frame["sketch"], population, self._cycle[start:end]),
        )

    def _sketches(
        self, sketches: pl.Series, population: Ints, cycle: Ints
    ) -> pl.Series:
        """Give prompts other keyed hashes in each population; a cycle, other fillings.

        Only equality of hashes is ever looked at, and it is kept within a population.
        """
        known = sketches.bin.size() == SKETCH_BYTES
        rows = np.frombuffer(b"".join(sketches.filter(known)), np.uint8).copy()
        rows = rows.reshape(-1, SKETCH_BYTES)
        kept = known.fill_null(value=False).to_numpy()
        hashes = np.ascontiguousarray(rows[:, _HASHES_AT:]).view("<u8")
        mask = _mixed(population[kept].astype(np.uint64))
        hashes = np.where(hashes == 0, hashes, hashes ^ mask[:, None])
        rows[:, _HASHES_AT:] = hashes.view(np.uint8).reshape(len(rows), -1)
        records = rows.view(SKETCH_DTYPE)[:, 0]
        exact = records["exact"] ^ _mixed(cycle[kept].astype(np.uint64))
        records["exact"] = np.where(records["exact"] == 0, 0, exact)
        values = iter(rows.tobytes()[at : at + SKETCH_BYTES]
                      for at in range(0, rows.size, SKETCH_BYTES))  # fmt: skip
        return pl.Series(
            [next(values) if good else None for good in kept], dtype=pl.Binary
        )


def _populations(accounts: Ints, count: int) -> tuple[Ints, Ints]:
    number = np.arange(count)
    return accounts[number % len(accounts)], number // len(accounts)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix to 64 bits; 0 stays 0 (the finaliser of SplitMix64: Steele, Lea, Flood)."""
    mixed = values.copy()
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _closing_accounts(partitions: int) -> list[str]:
    """Find one account id for each partition, in their order."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        name = hashlib.blake2b(b"closing %d" % number, digest_size=12).hexdigest()
        found.setdefault(partition_of(name, partitions), name)
        number += 1
    return [found[partition] for partition in range(partitions)]
