"""Token buckets, one a subject, of bounded number."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

__all__ = ["TokenBuckets"]

_MAX_BUCKETS: Final = 100_000
"""About 25 MB. What is evicted has been idle for longest, and starts full again."""


_ROUNDING: Final = 1e-9
"""Tokens; who waits as told must not find that a trifle is missing."""


class TokenBuckets:
    """Allow each key so many requests a minute, and that many at once.

    Not thread-safe: it belongs to one event loop. ``clock`` gives monotonic seconds.

    >>> buckets = TokenBuckets(clock=lambda: 0.0)
    >>> [buckets.take("account:1", 2) for _ in range(3)]
    [0.0, 0.0, 30.0]
    """

    def __init__(
        self,
        *,
        max_buckets: int = _MAX_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max = max_buckets
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, per_minute: float) -> float:
        """Take a token; give 0, or the seconds until there is one."""
        now = self._clock()
        # Below one a minute there would never be a whole token.
        capacity = max(per_minute, 1.0)
        rate = per_minute / 60
        tokens, since = self._buckets.pop(key, (capacity, now))
        tokens = min(capacity, tokens + (now - since) * rate)
        wait = 0.0
        if tokens >= 1 - _ROUNDING:
            tokens -= 1
        else:
            wait = (1 - tokens) / rate
        self._buckets[key] = (tokens, now)
        if len(self._buckets) > self._max:
            self._buckets.popitem(last=False)
        return wait
