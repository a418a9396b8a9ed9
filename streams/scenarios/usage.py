"""Tokens, status and what follows from them, of all requests of a simulation."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.traffic import Manner

__all__ = ["Usage"]

Ints = NDArray[np.int64]
STATUS, STATUS_SHARE = (200, 429, 500), (0.985, 0.01, 0.005)
MOST_OUTPUT_TOKENS = 16_384
FIRST_CHUNK_SECONDS = 0.45
TOOL_CALL_SHARE = 0.6
"""Share of the answers to a program with tools that call one."""
_NUMBERS: Final = ("output_tokens", "output_spread", "reasoning", "cached")


class Usage(NamedTuple):
    """Columns over all requests; `columns` gives them as fields of events, in parts.

    ``streams`` and ``calls``: whether the request asked for chunks, and whether a
    finished answer calls a tool.
    """

    status: Ints
    given: Ints
    output: Ints
    thought: Ints
    read: Ints
    first: NDArray[np.float64]
    cut: NDArray[np.bool_]
    calls: NDArray[np.bool_]
    streams: NDArray[np.bool_]

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        manner: Ints,
        manners: list[Manner],
        given: Ints,
    ) -> Self:
        """Draw it for requests of these manners, with ``given`` tokens of input."""
        n = len(manner)
        table = np.array([[getattr(m, name) for name in _NUMBERS] for m in manners])
        table = table.reshape(-1, len(_NUMBERS))
        most = np.array([m.max_tokens or MOST_OUTPUT_TOKENS for m in manners])
        limit = most[manner]
        spread = table[:, 1][manner]
        drawn = table[:, 0][manner] * rng.lognormal(0.0, 1.0, n) ** spread
        output = np.minimum(drawn.astype(np.int64) + 1, limit)
        del drawn, spread
        reasoning = table[:, 2][manner]
        thought = (output * reasoning * rng.lognormal(0.0, 0.5, n)).astype(np.int64)
        del reasoning
        cached = table[:, 3][manner]
        read = np.where(rng.random(n) < cached, given * cached, 0).astype(np.int64)
        del cached
        status = rng.choice(np.array(STATUS), n, p=STATUS_SHARE)
        calls = rng.random(n) < TOOL_CALL_SHARE
        tools = np.array([bool(m.tool_count) for m in manners])
        return cls(
            status=status,
            given=given,
            output=output + thought,
            thought=thought,
            read=read,
            first=np.round(FIRST_CHUNK_SECONDS * rng.lognormal(0.0, 0.5, n), 3),
            cut=output == limit,
            calls=calls & tools[manner],
            streams=np.array([bool(m.stream) for m in manners])[manner],
        )

    def columns(self, part: slice) -> dict[str, list[Any]]:
        """Give the fields of the requests of a slice; a failed one has no tokens."""
        status = self.status[part].tolist()
        good = [value == STATUS[0] for value in status]

        def when_good(column: Ints) -> list[Any]:
            values = column[part].tolist()
            return [v if ok else None for v, ok in zip(values, good, strict=True)]

        flags = zip(
            good, self.cut[part].tolist(), self.calls[part].tolist(), strict=True
        )
        chunks = zip(
            self.first[part].tolist(), good, self.streams[part].tolist(), strict=True
        )
        return {
            "response_finish_reasons": [_reasons(*each) for each in flags],
            "response_time_to_first_chunk": [
                seconds if ok and streamed else None for seconds, ok, streamed in chunks
            ],
            "usage_input_tokens": when_good(self.given),
            "usage_output_tokens": when_good(self.output),
            "usage_reasoning_output_tokens": when_good(self.thought),
            "usage_cache_read_input_tokens": when_good(self.read),
            "status_code": status,
        }


def _reasons(good: bool, cut: bool, calls: bool) -> list[str]:
    """Say why an answer ended; nothing for a failed one."""
    if not good:
        return []
    if cut:
        return ["length"]
    return ["tool_calls" if calls else "stop"]
