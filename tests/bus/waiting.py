"""Wait for what another process or thread is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["PATIENCE", "until"]

PATIENCE = 90.0
"""Seconds: many times what any of it takes, even where other work takes the cores."""

_POLL = 0.02  # s

T = TypeVar("T")


def until(condition: Callable[[], T], what: str = "it did not come true") -> T:
    """Return the first true value of ``condition``; fail with ``what`` otherwise."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(_POLL)
    return found
