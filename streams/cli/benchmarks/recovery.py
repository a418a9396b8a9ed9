"""How long a worker takes to be back: with its state, after a kill, in company.

All by the clock of the wall, with the settings as they ship. *Back* means that an
offset of llm.requests moves again, which is after a flush that scored something.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import msgspec
import numpy as np

from streams.agents.group_exit import leave_for, member_name
from streams.cli.benchmarks.loader import Pacer, finish, producer, send
from streams.cli.benchmarks.partitioned import Records
from streams.cli.benchmarks.stand import REQUESTS, Offsets, Stand, WorkerProcess
from streams.cli.benchmarks.synthetic import SyntheticEvents, account_ids
from streams.contracts import load_topics
from streams.engine.murmur2 import partition_of
from streams.errors import BusError

__all__ = ["FULL_ACCOUNTS", "QUICK_ACCOUNTS", "RecoveryResult", "measure_recovery"]

FULL_ACCOUNTS: Final = 1_000_000
QUICK_ACCOUNTS: Final = 20_000
_BATCH: Final = 20_000
_MINUTES: Final = 60  # of event time, over which the accounts are spread
_TRICKLE: Final = 2_000  # events/s while workers come and go
_PER_MINUTE: Final = 1_000  # of the trickle: a minute of event time every half second
_TIMEOUT: Final = 300.0  # s
_POLL: Final = 0.02  # s
_CALM: Final = 8.0  # s of watching before and after a change
_BATCH_SECONDS: Final = 600  # s that the trickle lasts at most


class RecoveryResult(msgspec.Struct, frozen=True):
    """Seconds; a pause is the longest standstill of a partition.

    The dead worker's group is told of its end, as its supervisor does; where a whole
    machine goes, ``session_timeout_s`` comes on top. ``kept_pause_s`` is the pause of
    the partitions that stay with the first worker, ``moved_pause_s`` that of the rest,
    ``usual_pause_s`` the longest one while nothing happened: what a flush and a minute
    of event time take here.
    """

    accounts: int
    rows: str
    ready_s: float
    seconds_1m: float
    after_kill_s: float
    session_timeout_s: float
    rebalance_pause_s: float
    kept_pause_s: float
    moved_pause_s: float
    usual_pause_s: float


class _Source:
    """Synthetic events with their partitions; event time goes on from call to call."""

    def __init__(self) -> None:
        self._events = SyntheticEvents(own_facets=False, own_payments=True)
        self._count = load_topics()[REQUESTS].partitions
        self.minute = 0

    def records(self, numbers: np.ndarray, minutes: np.ndarray) -> Records:
        names = account_ids(numbers)
        homes = [partition_of(name, self._count) for name in names]
        values = self._events.values(numbers, minutes)
        return Records(values, names, homes, [0] * len(names))

    def all_once(self, accounts: int) -> Iterator[Records]:
        """Give one event of each account, then a later minute on each partition."""
        for start in range(0, accounts, _BATCH):
            numbers = np.arange(start, min(start + _BATCH, accounts))
            yield self.records(numbers, numbers * _MINUTES // accounts)
        self.minute = _MINUTES
        yield self.closing()

    def closing(self) -> Records:
        """Give events that close the minutes so far on all partitions."""
        self.minute += 2
        numbers = np.arange(40 * self._count)  # some for each partition
        return self.records(numbers, np.full(len(numbers), self.minute))

    def trickle(self, accounts: int) -> list[Records]:
        """Give events of random accounts, a minute of event time every 1,000."""
        rng = np.random.default_rng(5)
        total = _TRICKLE * _BATCH_SECONDS
        batches = []
        for start in range(0, total, _BATCH):
            numbers = rng.integers(0, accounts, _BATCH)
            minutes = self.minute + 1 + (start + np.arange(_BATCH)) // _PER_MINUTE
            batches.append(self.records(numbers, minutes))
        return batches


def measure_recovery(
    stand: Stand,
    accounts: int,
    step: Callable[[str], object] = lambda _title: None,
    *,
    calm: float = _CALM,
) -> RecoveryResult:
    """Fill a changelog, then start, kill and add workers.

    ``calm`` are the seconds of watching before and after each change.
    """
    config, source = stand.config("recovery"), _Source()
    stand.clear(keep_requests=False)
    target = producer(stand.bootstrap)
    step("filling the changelog")
    for records in source.all_once(accounts):
        send(target, records, 0, len(records.values))
    finish(target)
    with stand.offsets(config) as offsets:
        with stand.worker(config, bound=False) as worker:
            # All but the chunks with events of the minute that stays open.
            goal = [max(end - 2 * config.chunk_records, 1) for end in offsets.ends()]
            offsets.wait(REQUESTS, goal, [worker], timeout=_TIMEOUT)
            offsets.wait_until_still()
        step("starting with the changelog")
        batches = source.trickle(accounts)
        # It flows while nobody is there, as traffic does.
        with Pacer(stand.bootstrap, batches, _TRICKLE) as pacer, ExitStack() as stack:
            before, began = sum(offsets.committed()), time.monotonic()
            first = stack.enter_context(stand.worker(config, bound=False))
            ready = first.wait_until_ready() - began
            back = _wait_for_more(offsets, before, [first]) - began
            rows = first.said().rpartition(", ")[2].strip()
            _longest_pauses(offsets, pacer, calm)
            step("killing the worker")
            first.kill()
            killed, before = time.monotonic(), sum(offsets.committed())
            leave_for(config, member_name(0, first.pid))
            first = stack.enter_context(stand.worker(config, bound=False))
            after_kill = _wait_for_more(offsets, before, [first]) - killed
            step("adding a worker")
            _longest_pauses(offsets, pacer, calm)
            usual = max(_longest_pauses(offsets, pacer, calm))
            second = stack.enter_context(stand.worker(config, 1, bound=False))

            def shared() -> bool:
                first.check()
                second.check()
                return len(stand.holdings(config)) == 2

            pauses = _longest_pauses(offsets, pacer, calm, until=shared)
            moved = stand.holdings(config)[member_name(1, second.pid)]
    return RecoveryResult(
        accounts=accounts,
        rows=rows,
        ready_s=round(ready, 2),
        seconds_1m=round(back, 2),
        after_kill_s=round(after_kill, 2),
        session_timeout_s=config.session_timeout,
        rebalance_pause_s=round(max(pauses), 2),
        kept_pause_s=_longest(pauses, set(range(len(pauses))) - moved),
        moved_pause_s=_longest(pauses, moved),
        usual_pause_s=round(usual, 2),
    )


def _wait_for_more(
    offsets: Offsets, before: int, workers: list[WorkerProcess]
) -> float:
    deadline = time.monotonic() + _TIMEOUT
    while sum(offsets.committed()) <= before:
        for worker in workers:
            worker.check()
        if time.monotonic() > deadline:
            raise BusError(f"no worker went on within {_TIMEOUT:.0f} s")
        time.sleep(_POLL)
    return time.monotonic()


def _longest(pauses: list[float], partitions: set[int]) -> float:
    return round(max((pauses[p] for p in partitions), default=0.0), 2)


def _longest_pauses(
    offsets: Offsets,
    pacer: Pacer,
    seconds: float,
    until: Callable[[], bool] = lambda: True,
) -> list[float]:
    """Watch for so many seconds after ``until`` holds; give the longest standstills."""
    began = time.monotonic()
    at = offsets.committed()
    moved = [began] * len(at)
    longest, end = [0.0] * len(at), began + _TIMEOUT
    watching = False
    while (now := time.monotonic()) < end:
        if pacer.done:
            raise BusError("the trickle of events ended too early")
        if not watching and until():
            watching, end = True, now + seconds
        for partition, offset in enumerate(offsets.committed()):
            # Standing still counts before it ends, so that nobody is overlooked.
            longest[partition] = max(longest[partition], now - moved[partition])
            if offset > at[partition]:
                at[partition], moved[partition] = offset, now
        time.sleep(_POLL)
    if not watching:
        raise BusError(f"the workers did not share out within {_TIMEOUT:.0f} s")
    return longest
