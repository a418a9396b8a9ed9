"""Send the events of an Avro container through a reporter, at the pace wanted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import fastavro
import numpy as np
import numpy.typing as npt

from streams.contracts import decode_chunk, iter_datums
from streams.errors import ConfigError, UndecodableRecord
from streams.sdk.request_reporter import RequestReporter

__all__ = ["count_events", "load_container"]

_NAME = "RequestEvent"
_BATCH = 4096  # records decoded together: the columnar decoder is at its best
_SLOT = 0.02  # s: what falls due within it is sent together


class _Batch(NamedTuple):
    """Consecutive events of a file, as parallel columns."""

    values: list[bytes]
    keys: list[str]
    times: npt.NDArray[np.int64]  # milliseconds since the epoch
    event_ids: list[str]


def count_events(path: Path) -> int:
    """Count the events in a container without decoding them."""
    try:
        with path.open("rb") as file:
            return sum(block.num_records for block in fastavro.block_reader(file))
    except (ValueError, EOFError, KeyError, TypeError, IndexError) as error:
        raise UndecodableRecord(
            f"{path}: not a whole Avro container ({type(error).__name__})"
        ) from error


def load_container(
    path: Path,
    reporter: RequestReporter,
    *,
    speed: float = math.inf,
    on_sent: Callable[[int], object] = lambda _count: None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Send all events of a file, in its order; return their number.

    ``speed`` is event time over real time: 1 takes as long as the traffic did, 60 sends
    an hour in a minute, infinity sends as fast as Kafka takes it. Events keep their
    ``occurred_at`` and their bytes. A full buffer is waited for. ``on_sent`` is told
    the number of events after each step. ``sleep`` and ``clock`` are in seconds.

    Raises the `ContractError` of the first record that is not good, with the file's
    name and its place; what was sent before it stays sent.
    """
    if not speed > 0:
        raise ConfigError(f"speed = {speed} is not above 0")
    began, first, latest, sent = clock(), 0, 0, 0
    for batch in _batches(path):
        if not sent:
            first = latest = int(batch.times[0])
        # Seconds after the start; an event that lies late in the file is sent there.
        latest_so_far = np.maximum.accumulate(np.maximum(batch.times, latest))
        latest = int(latest_so_far[-1])
        due = (latest_so_far - first) / 1000 / speed
        at = 0
        while at < len(due):
            wait = due[at] - (clock() - began)
            if wait > 0:
                sleep(wait)
            end = int(np.searchsorted(due, clock() - began + _SLOT, side="right"))
            end = max(end, at + 1)
            _send(reporter, batch, at, end)
            on_sent(end - at)
            sent += end - at
            at = end
    return sent


def _batches(path: Path) -> Iterator[_Batch]:
    datums = iter_datums(path)
    place = 0
    while values := list(islice(datums, _BATCH)):
        frame, _, rejected = decode_chunk(_NAME, values)
        for at, error in rejected[:1]:
            raise type(error)(f"{path}, record {place + at}: {error}")
        place += len(values)
        yield _Batch(
            values,
            frame["account_id"].to_list(),
            frame["occurred_at"].to_numpy(),
            frame["event_id"].to_list(),
        )


def _send(reporter: RequestReporter, batch: _Batch, start: int, end: int) -> None:
    reporter.report_encoded(
        batch.values[start:end],
        keys=batch.keys[start:end],
        timestamps=batch.times[start:end].tolist(),
        event_ids=batch.event_ids[start:end],
    )
