"""Resident bytes per account, and what an event costs, at several sizes.

Each size is measured in a process of its own (``python -m`` this): the pipeline of all
stages and partitions is fed with one event of each account, and its resident memory is
compared with that of an empty one. Small sizes are repeated side by side, since the
allocator's grain is some megabytes. Memory is looked at after the dirty rows are taken,
as after a flush.
"""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import psutil

from streams.agents.collector import search_seldom
from streams.cli.benchmarks.contestant import bind_to_one_core
from streams.cli.benchmarks.partitioned import Drive
from streams.cli.benchmarks.synthetic import SyntheticEvents, account_ids
from streams.engine.murmur2 import partition_of
from streams.engine.stage import Chunk
from streams.errors import BusError

__all__ = ["FULL_SIZES", "QUICK_SIZES", "MemoryResult", "measure_memory"]

QUICK_SIZES: Final = (10_000, 100_000)
FULL_SIZES: Final = (10_000, 100_000, 1_000_000, 5_000_000)
_OWN_FACETS_UP_TO: Final = 1_000_000
_LEAST_ACCOUNTS: Final = 200_000
"""Accounts in a process at least: smaller sizes are repeated up to so many."""
_COST_EVENTS: Final = 200_000
_FEED: Final = 20_000  # events made and given at a time
_EVENTS_PER_MINUTE: Final = 50_000
_WARM_UP: Final = 60_000
"""Accounts of a first pipeline, which is thrown away: more than a minute's, so that the
buffers for a minute and for what is fed do not count as accounts' memory."""
_SILENCE: Final = 40 * 24 * 60
"""Minutes after which accounts and facets that sent nothing more are forgotten; the
rule is 30 days."""
_SILENT_FROM: Final = 100_000
"""Accounts from which on it is told what is left of them: with fewer, what an empty
pipeline keeps ready for the next ones is more than they took."""
_ROOM: Final = 3_000
"""Bytes per account that must be free before a size is tried; three times what one
takes, since tables double."""


class _Asked(msgspec.Struct, frozen=True):
    accounts: int
    own_facets: bool


class _Answer(msgspec.Struct, frozen=True):
    bytes_per_account: float
    microseconds_per_event: float
    left_after_silence: float


class MemoryResult(msgspec.Struct, frozen=True):
    """By number of accounts, as text: a JSON object has no other keys.

    ``with_own_facets`` is for accounts with a network and a payment of their own each,
    whose directory entries are counted in; otherwise 20,000 accounts share theirs.
    """

    bytes_per_account: dict[str, float]
    with_own_facets: dict[str, float]
    after_silence: dict[str, float]
    microseconds_per_event: dict[str, float]
    left_out: list[str]


def measure_memory(
    sizes: Sequence[int], step: Callable[[str], object] = lambda _title: None
) -> MemoryResult:
    """Measure each size; one that this machine has no room for is left out and told."""
    plain: dict[str, float] = {}
    own: dict[str, float] = {}
    silent: dict[str, float] = {}
    cost: dict[str, float] = {}
    left_out: list[str] = []
    for size in sizes:
        if psutil.virtual_memory().available < size * _ROOM:
            left_out.append(str(size))
            continue
        step(f"{size:,} accounts")
        answer = _ask(_Asked(size, own_facets=False))
        plain[str(size)] = round(answer.bytes_per_account, 1)
        cost[str(size)] = round(answer.microseconds_per_event, 2)
        if size <= _OWN_FACETS_UP_TO:
            step(f"{size:,} accounts, own facets")
            answer = _ask(_Asked(size, own_facets=True))
            own[str(size)] = round(answer.bytes_per_account, 1)
            if size >= _SILENT_FROM:
                silent[str(size)] = round(answer.left_after_silence, 1)
    return MemoryResult(plain, own, silent, cost, left_out)


def _ask(asked: _Asked) -> _Answer:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli.benchmarks.memory"],
        input=msgspec.json.encode(asked),
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace")[-1000:]
        raise BusError(f"{asked.accounts:,} accounts: {told}")
    return msgspec.json.decode(done.stdout, type=_Answer)


class _Crowd:
    """A pipeline and accounts that send one event each, then more at random."""

    def __init__(self, accounts: int, *, own_facets: bool) -> None:
        self.drive = Drive()
        self._accounts = accounts
        self._source = SyntheticEvents(own_facets=own_facets)
        self._ends = [0] * self.drive.pipeline.topology.request_partitions
        self._sent = 0

    def send(self, numbers: Any) -> float:
        """Give one event of each account; return the seconds that the engine took."""
        taken = 0.0
        for start in range(0, len(numbers), _FEED):
            part = numbers[start : start + _FEED]
            minutes = (self._sent + np.arange(len(part))) // _EVENTS_PER_MINUTE
            self._sent += len(part)
            values = self._source.values(part, minutes)
            count = len(self._ends)
            homes = np.array([partition_of(name, count) for name in account_ids(part)])
            for home in range(count):
                here = np.flatnonzero(homes == home)
                for at in range(0, len(here), 1000):
                    chosen = here[at : at + 1000].tolist()
                    chunk = self._chunk(home, [values[n] for n in chosen])
                    began = time.process_time()
                    self.drive.take(home, chunk)
                    taken += time.process_time() - began
        began = time.process_time()
        self._flush()
        return taken + time.process_time() - began

    def _chunk(self, home: int, values: list[bytes]) -> Chunk:
        begin = self._ends[home]
        self._ends[home] += len(values)
        return Chunk(range(begin, self._ends[home]), values, [-1] * len(values))

    def _flush(self) -> None:
        self.drive.flush()
        for stages in self.drive.pipeline.stages.values():
            for stage in stages:
                stage.dirty_rows()

    def close(self, later: int = 2) -> None:
        """Let every minute close that was sent, so that no event waits in memory.

        One account of each partition sends an event so many minutes ``later``.
        """
        minute = self._sent // _EVENTS_PER_MINUTE + later
        for home in range(len(self._ends)):
            numbers = self._one_of(home)
            values = self._source.values(numbers, np.array([minute]))
            self.drive.take(home, self._chunk(home, values))
        self._flush()

    def _one_of(self, home: int) -> Any:
        number = 0
        while True:
            numbers = np.array([number])
            if partition_of(account_ids(numbers)[0], len(self._ends)) == home:
                return numbers
            number += 1


def _resident() -> int:
    partition_of.cache_clear()  # the loader's, not the worker's
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


def _answer(asked: _Asked) -> _Answer:
    search_seldom()  # as a worker does
    rng = np.random.default_rng(3)
    warm = _Crowd(_WARM_UP, own_facets=asked.own_facets)
    warm.send(np.arange(_WARM_UP))
    warm.close()
    del warm
    repeats = max(1, _LEAST_ACCOUNTS // asked.accounts)
    crowds = [
        _Crowd(asked.accounts, own_facets=asked.own_facets) for _ in range(repeats)
    ]
    before = _resident()
    for crowd in crowds:
        crowd.send(rng.permutation(asked.accounts))
        crowd.close()
    held = (_resident() - before) / (repeats * asked.accounts)
    more = rng.integers(0, asked.accounts, _COST_EVENTS)
    seconds = crowds[0].send(more)
    for crowd in crowds:
        crowd.close(later=_SILENCE)
        crowd.close(later=_SILENCE + 2)
    left = (_resident() - before) / (repeats * asked.accounts)
    return _Answer(held, seconds / _COST_EVENTS * 1e6, left)


if __name__ == "__main__":
    bind_to_one_core()
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=_Asked)
    sys.stdout.write(msgspec.json.encode(_answer(request)).decode())
