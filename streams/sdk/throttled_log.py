"""A warning at most once a minute per reason: a broken gateway must not flood a log."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable

__all__ = ["ThrottledLog"]

_INTERVAL = 60.0  # seconds between two warnings of one reason


class ThrottledLog:
    """Warn at most once per ``interval`` seconds and reason; count what is kept back.

    Thread-safe. ``clock`` gives seconds and is monotonic.

    >>> log = ThrottledLog(logging.getLogger("doctest"), clock=lambda: 0.0)
    >>> log.tell("invalid", "a field is missing"), log.tell("invalid", "again")
    (True, False)
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        interval: float = _INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._interval = interval
        self._clock = clock
        self._due: dict[str, float] = {}
        self._unsaid: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def tell(self, reason: str, detail: str, count: int = 1) -> bool:
        """Log that ``count`` events met ``reason``; False when it was kept back.

        The next warning of the reason counts those kept back too. ``detail`` must not
        hold content.
        """
        with self._lock:
            self._unsaid[reason] += count
            now = self._clock()
            if now < self._due.get(reason, now):
                return False
            self._due[reason] = now + self._interval
            total = self._unsaid.pop(reason)
        self._logger.warning("%s: %s [%d times]", reason, detail, total)
        return True
