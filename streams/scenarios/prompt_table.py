"""Every distinct prompt once: its sketch and its length; the text is let go."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.chance import digest
from streams.scenarios.corpora import Prompt
from streams.sketch import Sketcher

__all__ = ["SIMULATION_KEY", "SIMULATION_KEY_ID", "PromptTable"]

SIMULATION_KEY = digest(32, "distillwatch simulation: public, for scenarios only")
"""A published key: simulated prompts are no secret, and runs must repeat."""
SIMULATION_KEY_ID = "sim"
BATCH = 2_000
"""Prompts sketched at a time: bounds the texts in memory to some megabytes."""
_CHARS_PER_TOKEN = 4
_BYTES_PER_TOKEN = 3
"""Rough tokens of a text: the larger of its characters/4 and its UTF-8 bytes/3 when
it is not ASCII (a Chinese character is about a token)."""


class _Sent(NamedTuple):
    text: str
    system: str | None
    tools: str | None
    turns: int


class PromptTable:
    """Interns prompts: equal prompts get the same row, and are sketched once.

    ``on_sketched`` is told the number of prompts of each finished batch.
    """

    def __init__(self, on_sketched: Callable[[int], None] | None = None) -> None:
        self._sketcher = _sketcher()
        self._waiting: list[_Sent] = []
        self._rows: dict[bytes, int] = {}
        self._tokens: list[int] = []
        self._sketches: list[bytes] = []
        self._on_sketched = on_sketched

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, prompt: Prompt, *, turns: int = 0, tools: str | None = None) -> int:
        """Row of a prompt with ``turns`` earlier turns; a new one will be sketched."""
        sent = _Sent(prompt.text, prompt.system, tools, turns)
        key = digest(16, *sent)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._tokens)
            self._tokens.append(_tokens(sent))
            self._waiting.append(sent)
            if len(self._waiting) >= BATCH:
                self._flush()
        return row

    def columns(self) -> tuple[list[bytes], NDArray[np.int64]]:
        """Sketch and rough input tokens of every row."""
        self._flush()
        return self._sketches, np.array(self._tokens, dtype=np.int64)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            sketches = self._sketcher.sketch_many(
                [sent.text for sent in waiting],
                systems=[sent.system for sent in waiting],
                tools=[sent.tools for sent in waiting],
                turns=[range(sent.turns) for sent in waiting],
            )
            self._sketches += map(bytes, sketches)
            if self._on_sketched:
                self._on_sketched(len(waiting))


@cache
def _sketcher() -> Sketcher:
    """Make the simulations' sketcher once: a warm one knows most words already."""
    return Sketcher(SIMULATION_KEY, SIMULATION_KEY_ID)


def _tokens(sent: _Sent) -> int:
    total = 8 * (1 + sent.turns)
    for text in (sent.text, sent.system or "", sent.tools or ""):
        if text.isascii():
            total += len(text) // _CHARS_PER_TOKEN
        else:
            total += len(text.encode()) // _BYTES_PER_TOKEN
    return total
