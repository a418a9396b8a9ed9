"""The kernel that adds a batch of events to the rows of their accounts.

Everything is counted with integers over whole batches of columns; there is no loop
over events. A batch holds whole minutes, so that a minute's peak is never split.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import columns, loops
from streams.contracts.time_units import MINUTES_PER_HOUR
from streams.features.account_row import (
    INFRASTRUCTURE_KINDS,
    MARKER_COUNT,
    MODEL_SLOTS,
    ROW_VERSION,
)
from streams.features.event_columns import EventColumns
from streams.features.segments import run_starts, segment_rank
from streams.features.template_gate import open_templates

__all__ = [
    "Updated",
    "begin_rows",
    "first_uses",
    "group_by_number",
    "update_rows",
]

_MOST_NUMBERS_A_USE: Final = 64
"""Numbers for each use up to which a pass over all of them is cheaper than sorting."""
_BLOOM_BITS: Final = np.uint64(63)
_ONE: Final = np.uint64(1)


class Updated(NamedTuple):
    """What the update learned of each event, in the order of the batch.

    ``passed`` (n, 5): template keys that pass a gate. ``events`` and
    ``templated``: the account's totals up to and including the event.
    """

    passed: npt.NDArray[np.bool_]
    events: npt.NDArray[np.int64]
    templated: npt.NDArray[np.int64]


def group_by_number(
    numbers: npt.NDArray[np.int64], limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give the distinct numbers, each one's place among them, and the stable order.

    Numbers are below ``limit``.

    >>> [a.tolist() for a in group_by_number(np.array([7, 3, 7]), 8)]
    [[3, 7], [1, 0, 1], [1, 0, 2]]
    """
    if loops() and limit < _MOST_NUMBERS_A_USE * len(numbers):
        from streams.features.account_loops import group_loop  # noqa: PLC0415  numba

        place_of, order = np.zeros(limit, np.int32), np.empty(len(numbers), np.int64)
        distinct = group_loop(numbers, place_of, order)
        return distinct, place_of[numbers].astype(np.int64), order
    distinct, place = np.unique(numbers, return_inverse=True)
    return distinct, place, np.argsort(place, kind="stable")


def begin_rows(rows: npt.NDArray[Any], batch: EventColumns) -> None:
    """Initialise the rows of accounts that occur for the first time."""
    fresh = rows["version"][batch.slot] == 0
    if not fresh.any():
        return
    batch = batch.select(fresh)
    slots, first = np.unique(batch.slot, return_index=True)
    rows["version"][slots] = ROW_VERSION
    rows["owner"][slots] = batch.owner[first]
    rows["created_minute"][slots] = batch.created_minute[first]
    rows["first_minute"][slots] = batch.minute[first]
    rows["last_minute"][slots] = batch.minute[first]
    rows["hour"][slots] = -1


def update_rows(
    rows: npt.NDArray[Any], batch: EventColumns, model_bucket: npt.NDArray[np.int64]
) -> Updated:
    """Add the events, which are sorted by account and then in log order.

    ``model_bucket`` maps the batch's model numbers to `MODEL_SLOTS` buckets.
    """
    if loops():
        return _update_with_loop(rows, batch, model_bucket)
    starts = run_starts(batch.slot)
    slots = batch.slot[starts]
    lengths = np.diff(np.append(starts, len(batch)))
    passed = open_templates(rows, slots, starts, batch.templates, batch.exact)
    passed |= batch.shared
    templated: npt.NDArray[np.bool_] = np.any(passed, axis=1)
    everything = np.ones(len(batch), bool)
    events_before = rows["events"][slots].astype(np.int64)
    templated_before = rows["templated"][slots].astype(np.int64)
    updated = Updated(
        passed,
        np.repeat(events_before, lengths) + segment_rank(starts, everything),
        np.repeat(templated_before, lengths) + segment_rank(starts, templated),
    )
    ends = starts + lengths - 1
    rows["events"][slots] = updated.events[ends]
    rows["templated"][slots] = updated.templated[ends]
    rows["last_minute"][slots] = batch.minute[ends]
    _add_rates(rows, batch)
    for field, column in (
        ("tokens_in", batch.tokens_in),
        ("tokens_out", batch.tokens_out),
        ("tokens_reasoning", batch.tokens_reasoning),
    ):
        rows[field][slots] += np.add.reduceat(column, starts).astype(np.uint64)
    bucket = batch.slot * MODEL_SLOTS + model_bucket[batch.model]
    cells, uses = np.unique(bucket, return_counts=True)
    rows["models"][cells // MODEL_SLOTS, cells % MODEL_SLOTS] += uses.astype(np.uint32)
    bits = np.unpackbits(
        batch.markers.astype("<u4")[:, None].view(np.uint8), axis=1, bitorder="little"
    )
    rows["markers"][slots] += np.add.reduceat(
        bits[:, :MARKER_COUNT], starts, axis=0, dtype=np.uint32
    )
    return updated


def _update_with_loop(
    rows: npt.NDArray[Any], batch: EventColumns, model_bucket: npt.NDArray[np.int64]
) -> Updated:
    from streams.features.account_loops import (  # noqa: PLC0415  loads numba
        RowColumns,
        update_loop,
    )

    updated = Updated(
        np.ascontiguousarray(batch.shared).copy(),
        np.empty(len(batch), np.int64),
        np.empty(len(batch), np.int64),
    )
    update_loop(
        columns(RowColumns, rows),
        batch.slot,
        batch.minute,
        model_bucket[batch.model],
        batch.tokens_in,
        batch.tokens_out,
        batch.tokens_reasoning,
        np.ascontiguousarray(batch.markers),
        batch.templates,
        np.ascontiguousarray(batch.exact),
        *updated,
    )
    return updated


def _add_rates(rows: npt.NDArray[Any], batch: EventColumns) -> None:
    starts = run_starts(batch.slot, batch.minute)
    counts = np.diff(np.append(starts, len(batch))).astype(np.uint32)
    np.maximum.at(rows["minute_peak"], batch.slot[starts], counts)
    hour = batch.minute // MINUTES_PER_HOUR
    hour_of_day = (hour % 24).astype(np.uint32)
    np.bitwise_or.at(
        rows["hours_of_day"],
        batch.slot[starts],
        np.left_shift(np.uint32(1), hour_of_day[starts]),
    )
    newly_active = _count_by_hour(rows, batch.slot, hour)
    np.add.at(rows["active_hours"], newly_active, np.uint32(1))


def _count_by_hour(
    rows: npt.NDArray[Any], slot: npt.NDArray[np.int64], hour: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Count events by hour; return the account of each hour that is new to it."""
    starts = run_starts(slot, hour)
    accounts = slot[starts]
    counts = np.diff(np.append(starts, len(slot))).astype(np.uint32)
    same = rows["hour"][accounts] == hour[starts]
    counts[same] += rows["hour_events"][accounts[same]]
    np.maximum.at(rows["hour_peak"], accounts, counts)
    last = np.flatnonzero(np.append(accounts[1:] != accounts[:-1], True))
    rows["hour"][accounts[last]] = hour[starts[last]]
    rows["hour_events"][accounts[last]] = counts[last]
    fresh: npt.NDArray[np.int64] = accounts[~same]
    return fresh


def first_uses(
    seen: npt.NDArray[np.uint64],
    slot: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    hashes: npt.NDArray[np.uint64],
    eligible: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Mark each account's first use of each infrastructure facet; remember it.

    ``seen`` is a (rows, kinds) array of one-hash Bloom filters of 64 bits. A filter
    can take a new facet for a known one, never the other way round: an account that
    rotates through dozens of networks is under-counted, which is the safe side.
    """
    marked = np.zeros(numbers.shape, bool)
    if loops():
        from streams.features.account_loops import first_uses_loop  # noqa: PLC0415  numba

        first_uses_loop(seen, slot, numbers, hashes, eligible, marked)
        return marked
    for kind in range(len(INFRASTRUCTURE_KINDS)):
        with_facet = np.flatnonzero((numbers[:, kind] >= 0) & eligible)
        if not len(with_facet):
            continue
        bit = hashes[numbers[with_facet, kind]] & _BLOOM_BITS
        cell = slot[with_facet] * 64 + bit.astype(np.int64)
        _, first = np.unique(cell, return_index=True)
        at = with_facet[first]
        mask = np.left_shift(_ONE, bit[first])
        fresh = (seen[slot[at], kind] & mask) == 0
        marked[at[fresh], kind] = True
        np.bitwise_or.at(seen[:, kind], slot[at], mask)
    return marked
