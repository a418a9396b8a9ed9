"""What a contestant measured of itself, and the stopwatch that measures it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Final, NoReturn

import msgspec
import psutil

__all__ = ["Measured", "Stopwatch", "Task", "cpu_seconds", "report"]

_LOOK: Final = 64
"""Records between two looks at the clock: cheap next to any contestant's work."""


class Task(msgspec.Struct, frozen=True):
    """What a contestant's process is told.

    It ends after ``limit`` records or ``seconds``, whichever comes first. ``run_id``
    is in the names of consumer groups and folders, so that no run meets another's.
    """

    contestant: str
    traffic: str
    bootstrap: str
    broker_pid: int
    run_id: str
    folder: str
    limit: int
    seconds: float


class Measured(msgspec.Struct, frozen=True):
    """Records from the first to the last one processed, and the seconds they took.

    ``cpu_seconds`` are user and system time of the contestant, all its threads
    included, ``broker_seconds`` those of the broker in the same time. ``details`` is
    what a contestant has to tell besides.
    """

    events: int
    seconds: float
    cpu_seconds: float
    broker_seconds: float = 0.0
    details: dict[str, float] = {}

    @property
    def rate(self) -> float:
        """Events per second.

        >>> Measured(1000, 2.0, 1.0).rate
        500.0
        """
        return self.events / self.seconds

    @property
    def core_rate(self) -> float:
        """Events per second of processor time."""
        return self.events / self.cpu_seconds


class Stopwatch:
    """Counts records; the clock starts at the first and stops at the last one."""

    def __init__(self, limit: int, seconds: float, broker_pid: int = 0) -> None:
        self._limit = limit
        self._seconds = seconds
        self._broker = [broker_pid] if broker_pid else []
        self._next_look = 0
        self.events = 0
        self._began = self._cpu = self._broker_cpu = 0.0

    def start(self) -> None:
        """Start the clock."""
        self._broker_cpu = cpu_seconds(self._broker)
        self._cpu = time.process_time()
        self._began = time.perf_counter()
        self._next_look = self.events + _LOOK

    def tick(self, count: int = 1) -> bool:
        """Take note of records that are processed; True when it is enough."""
        if self._began == 0.0:
            self.start()  # the first record tells that all is connected
            return False
        self.events += count
        if self.events < self._next_look:
            return self.events >= self._limit
        self._next_look = self.events + _LOOK
        late = time.perf_counter() - self._began >= self._seconds
        return late or self.events >= self._limit

    def stop(self) -> Measured:
        """Read the clock."""
        seconds = time.perf_counter() - self._began
        used = time.process_time() - self._cpu
        broker = cpu_seconds(self._broker) - self._broker_cpu
        return Measured(self.events, seconds, used, broker)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Give the processor time that processes have used, user and system, in seconds."""
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def report(measured: Measured) -> NoReturn:
    """Print the result as the last line of stdout, and end the process at once.

    Libraries may have left threads that end in their own time, and a framework may not
    give control back at all.
    """
    print("\n" + msgspec.json.encode(measured).decode(), flush=True)
    os._exit(0)
