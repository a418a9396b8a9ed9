"""The account book of a reporter: every event is waiting or settled in one way."""

from __future__ import annotations

import collections
import threading

from streams.errors import ReporterClosed
from streams.sdk.reporter_stats import DropReason, ReporterStats

__all__ = ["ReportLedger"]


class ReportLedger:
    """Count events from their acceptance to their end; at most ``limit`` wait.

    Any thread may call anything, but `deliver` and `fail` belong to one thread: they
    run once per event and take no lock.

    >>> ledger = ReportLedger(2)
    >>> ledger.accept(3)
    2
    >>> ledger.deliver()
    >>> ledger.drop(DropReason.INVALID)
    >>> stats = ledger.stats()
    >>> stats.reported, stats.delivered, stats.buffered
    (2, 1, 0)
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # Reentrant: a finalizer or signal handler may report while we count.
        self._lock = threading.RLock()
        self._closed = ""
        self._accepted = 0
        self._bound = limit  # accepted events stay below it; it grows as they settle
        self._overflow = 0
        self._dropped: collections.Counter[str] = collections.Counter()
        self._lost = 0  # the total of _dropped
        self._refused = 0
        self._delivered = 0
        self._failed = 0

    @property
    def waiting(self) -> int:
        """Events accepted and not yet settled."""
        # The settled first: what ends meanwhile is then counted as waiting, never
        # the other way round.
        settled = self._delivered + self._failed + self._refused + self._lost
        return self._accepted - settled

    @property
    def closed(self) -> str:
        """Why nothing is accepted any more; empty while something is."""
        return self._closed

    def close(self, reason: str) -> None:
        """Accept nothing from now on; `accept` raises `ReporterClosed` with it."""
        with self._lock:
            self._closed = self._closed or reason

    def accept(self, count: int = 1) -> int:
        """Take up to ``count`` events into the books; return how many found room."""
        with self._lock:
            if self._closed:
                raise ReporterClosed(self._closed)
            if self._accepted + count > self._bound:
                # Summed up only when it seems full: this runs on a request's path.
                self._bound = self._accepted + self.limit - self.waiting
            room = min(count, self._bound - self._accepted)
            self._accepted += room
            return room

    def overflow(self, count: int = 1) -> None:
        """Count events that found no room."""
        with self._lock:
            self._overflow += count

    def drop(self, reason: DropReason, count: int = 1) -> None:
        """Settle accepted events as dropped."""
        with self._lock:
            self._dropped[reason] += count
            self._lost += count

    def refuse(self, count: int = 1) -> None:
        """Settle accepted events as failed: the client library did not take them."""
        with self._lock:
            self._refused += count

    def deliver(self) -> None:
        """Settle an accepted event as delivered; one thread only."""
        self._delivered += 1

    def fail(self) -> None:
        """Settle an accepted event as failed; one thread only."""
        self._failed += 1

    def stats(self) -> ReporterStats:
        """Give a snapshot that adds up, whatever other threads do meanwhile."""
        with self._lock:
            delivered = self._delivered
            failed = self._failed + self._refused
            dropped = {str(reason): n for reason, n in self._dropped.items()}
            if self._overflow:
                dropped[str(DropReason.BUFFER_FULL)] = self._overflow
            return ReporterStats(
                reported=self._accepted + self._overflow,
                delivered=delivered,
                failed=failed,
                buffered=self._accepted - delivered - failed - self._lost,
                dropped=dropped,
            )
