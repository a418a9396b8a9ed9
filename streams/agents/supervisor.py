"""Starts the worker processes, restarts those that fail, ends them together."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from time import monotonic
from types import FrameType

from streams.agents.group_exit import leave_for_later, member_name
from streams.agents.worker import StageLoader, run_worker
from streams.config import Config

__all__ = ["Supervisor", "backoff"]

_log = logging.getLogger(__name__)

_FIRST_BACKOFF = 0.5  # s
_LONGEST_BACKOFF = 30.0  # s
_HEALTHY_AFTER = 60.0  # s up, and earlier failures are forgotten
_POLL = 0.2  # s; how soon a signal is seen
_KILL_AFTER = 20.0  # s; workers give up by themselves after 15
# A worker that is told to stop before it listens for the signal dies of it, and has
# done nothing yet.
_CLEAN_ENDS = (0, -signal.SIGTERM)


def backoff(failures: int) -> float:
    """Return the seconds to wait before the restart after so many failures in a row.

    >>> [backoff(n) for n in (1, 2, 3, 9)]
    [0.5, 1.0, 2.0, 30.0]
    """
    return min(_FIRST_BACKOFF * 2.0 ** (failures - 1), _LONGEST_BACKOFF)


class _Slot:
    """One worker's place: its process, and how it has been doing."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: BaseProcess | None = None
        self.started_at = 0.0
        self.failures = 0
        self.start_at = 0.0


class Supervisor:
    """Keeps a number of workers running until told to stop.

    ``load_stages`` is called in each worker's process and must be importable by name.
    """

    def __init__(
        self,
        config: Config,
        workers: int,
        load_stages: StageLoader,
        *,
        log_level: str = "WARNING",
    ) -> None:
        self._config = config
        self._load_stages = load_stages
        self._log_level = log_level
        self._slots = [_Slot(index) for index in range(workers)]
        self._context = multiprocessing.get_context("spawn")
        self._stop = threading.Event()

    @property
    def pids(self) -> list[int | None]:
        """Process ids by worker; None while a worker waits for its restart."""
        return [slot.process.pid if slot.process else None for slot in self._slots]

    def stop(self) -> None:
        """Make `run` end the workers and return; safe from any thread or signal."""
        self._stop.set()

    def run(self) -> int:
        """Run until SIGINT, SIGTERM or `stop`; return 0 if all ended cleanly."""
        with self._signals():
            while not self._stop.is_set():
                for slot in self._slots:
                    self._keep_up(slot)
                sentinels = [s.process.sentinel for s in self._slots if s.process]
                wait(sentinels, timeout=_POLL)
            return self._end()

    def _keep_up(self, slot: _Slot) -> None:
        now = monotonic()
        if slot.process is not None and slot.process.exitcode is not None:
            code, pid, slot.process = slot.process.exitcode, slot.process.pid, None
            if code < 0:  # it had no time to leave the group by itself
                leave_for_later(self._config, member_name(slot.index, pid))
            if now - slot.started_at > _HEALTHY_AFTER:
                slot.failures = 0
            slot.failures += 1
            slot.start_at = now + backoff(slot.failures)
            how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            _log.error(
                "worker %d %s; restarting in %.1f s",
                slot.index,
                how,
                backoff(slot.failures),
            )
        if slot.process is None and now >= slot.start_at:
            slot.process = self._context.Process(
                target=run_worker,
                args=(self._config, self._load_stages, slot.index, self._log_level),
                name=f"worker-{slot.index}",
            )
            slot.process.start()
            slot.started_at = now

    def _end(self) -> int:
        processes = [slot.process for slot in self._slots if slot.process]
        for process in processes:
            process.terminate()
        deadline = monotonic() + _KILL_AFTER
        for process in processes:
            process.join(max(0.0, deadline - monotonic()))
            if process.exitcode is None:
                _log.error("%s does not stop; killing it", process.name)
                process.kill()
                process.join()
        return 0 if all(p.exitcode in _CLEAN_ENDS for p in processes) else 1

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()
