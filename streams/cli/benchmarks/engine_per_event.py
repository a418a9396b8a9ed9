"""The engine fed event by event, as a framework with a call per event would do it.

Peers get it easy: there is no changelog of the engine's state behind them, and nothing
of what they find is sent.
"""

from __future__ import annotations

import time
from typing import Final

from streams.config import Config
from streams.engine.replay import Pipeline
from streams.engine.stage import Chunk

__all__ = ["EnginePerEvent"]

_FLUSH: Final = Config().flush_interval


class EnginePerEvent:
    """All stages in one process, one record at a time."""

    def __init__(self) -> None:
        self._pipeline = Pipeline()
        self._accounts = self._pipeline.stages["llm.requests"]
        self._flushed_at = time.monotonic()

    def take(self, partition: int, offset: int, value: bytes, timestamp: int) -> None:
        """Take one record; run all stages when the flush interval is over."""
        self._accounts[partition].take(Chunk([offset], [value], [timestamp]))
        now = time.monotonic()
        if now - self._flushed_at >= _FLUSH:
            self._pipeline.flush()
            self._flushed_at = now
