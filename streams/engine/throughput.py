"""What the engine costs by the event: the parts of a benchmark, without a clock.

Each part is a function that does its whole work when it is called; the shell times
them in turn, so that a machine's drift hits all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from streams.contracts import decode, decode_chunk
from streams.engine.replay import Pipeline, replay

__all__ = ["Traffic", "parts", "traffic_between_stages"]

_CHUNK: Final = 1_000
"""Records decoded together, as the consumer hands them over by default."""


class Traffic(NamedTuple):
    """What stages send each other, per event that came in."""

    bytes_per_event: float
    records_per_event: float


def parts(values: list[bytes]) -> Mapping[str, Callable[[], object]]:
    """Give the parts of the benchmark by name; each runs over all ``values``.

    ``row_decode`` is the peer: fastavro's schemaless reader, a record at a time.
    """
    return {
        "row_decode": lambda: [decode("RequestEvent", value) for value in values],
        "chunk_decode": lambda: [
            decode_chunk("RequestEvent", values[start : start + _CHUNK])
            for start in range(0, len(values), _CHUNK)
        ],
        "decode_engine": lambda: list(replay(values, Pipeline())),
    }


def traffic_between_stages(values: list[bytes]) -> Traffic:
    """Measure how small a share of the traffic travels on: the work of the gate."""
    pipeline = Pipeline()
    for _ in replay(values, pipeline):
        pass
    return Traffic(
        pipeline.internal_bytes / max(len(values), 1),
        pipeline.internal_records / max(len(values), 1),
    )
