"""The kernel of `streams.features.account_update`, event by event, to be compiled.

It leaves the same rows and gives the same answers, to the bit. Rows come as their
columns: strided views into the records, so that an account's are close together.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit
from streams.contracts.time_units import HOURS_PER_DAY, MINUTES_PER_HOUR

__all__ = ["RowColumns", "first_uses_loop", "group_loop", "update_loop"]

_MARKERS: Final = 32
_BLOOM_BITS: Final = np.uint64(63)
_ONE: Final = np.uint64(1)

_Ints = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]
_Mask = npt.NDArray[np.bool_]


class RowColumns(NamedTuple):
    """What `update_loop` changes of `streams.features.account_row.ACCOUNT_ROW`."""

    last_minute: Any
    events: Any
    templated: Any
    minute_peak: Any
    hour: Any
    hour_events: Any
    hour_peak: Any
    hours_of_day: Any
    active_hours: Any
    tokens_in: Any
    tokens_out: Any
    tokens_reasoning: Any
    models: Any
    markers: Any
    recent: Any
    recent_exact: Any


@jit
def update_loop(
    rows: RowColumns,
    slots: _Ints,
    minutes: _Ints,
    buckets: _Ints,
    tokens_in: _Ints,
    tokens_out: _Ints,
    tokens_reasoning: _Ints,
    markers: npt.NDArray[np.uint32],
    templates: _Hashes,
    exact: _Hashes,
    passed: _Mask,
    events: _Ints,
    templated: _Ints,
) -> None:
    """Add events, sorted by account and then in log order; fill the last three arrays.

    ``buckets`` are those of the events' models. ``passed`` comes with what the shared
    gate lets pass.
    """
    remembered, kinds = rows.recent.shape[1], rows.recent.shape[2]
    begin = 0
    while begin < len(slots):
        slot = slots[begin]
        end = begin + 1
        while end < len(slots) and slots[end] == slot:
            end += 1
        in_minute = 0
        hour = np.int64(rows.hour[slot])
        for event in range(begin, end):
            # The local gate; see `streams.features.template_gate`.
            filling = np.uint8(exact[event])
            open_ = False
            for kind in range(kinds):
                open_ |= passed[event, kind]
                tag = np.uint16(templates[event, kind])
                if tag:
                    for place in range(remembered):
                        if (
                            rows.recent[slot, place, kind] == tag
                            and rows.recent_exact[slot, place] != filling
                        ):
                            passed[event, kind] = open_ = True
                            break
            place = np.int64(rows.events[slot]) % remembered
            rows.recent_exact[slot, place] = filling
            for kind in range(kinds):
                rows.recent[slot, place, kind] = np.uint16(templates[event, kind])
            rows.events[slot] += np.uint32(1)
            if open_:
                rows.templated[slot] += np.uint32(1)
            events[event] = rows.events[slot]
            templated[event] = rows.templated[slot]
            minute = minutes[event]
            if event == begin or minute != minutes[event - 1]:
                in_minute = 0
                if minute // MINUTES_PER_HOUR != hour:
                    hour = minute // MINUTES_PER_HOUR
                    rows.hour[slot] = hour
                    rows.hour_events[slot] = 0
                    rows.active_hours[slot] += np.uint32(1)
                rows.hours_of_day[slot] |= np.uint32(1 << (hour % HOURS_PER_DAY))
            in_minute += 1
            rows.hour_events[slot] += np.uint32(1)
            rows.minute_peak[slot] = max(rows.minute_peak[slot], in_minute)
            rows.hour_peak[slot] = max(rows.hour_peak[slot], rows.hour_events[slot])
            rows.tokens_in[slot] += np.uint64(tokens_in[event])
            rows.tokens_out[slot] += np.uint64(tokens_out[event])
            rows.tokens_reasoning[slot] += np.uint64(tokens_reasoning[event])
            rows.models[slot, buckets[event]] += np.uint32(1)
            bits = np.int64(markers[event])
            for bit in range(_MARKERS):
                rows.markers[slot, bit] += np.uint32((bits >> bit) & 1)
        rows.last_minute[slot] = minutes[end - 1]
        begin = end


@jit
def first_uses_loop(
    seen: _Hashes,
    slots: _Ints,
    numbers: _Ints,
    hashes: _Hashes,
    eligible: _Mask,
    marked: _Mask,
) -> None:
    """Mark each account's first use of each facet, and remember it."""
    for event in range(len(slots)):
        if eligible[event]:
            for kind in range(numbers.shape[1]):
                number = numbers[event, kind]
                if number >= 0:
                    mask = _ONE << (hashes[number] & _BLOOM_BITS)
                    if not seen[slots[event], kind] & mask:
                        seen[slots[event], kind] |= mask
                        marked[event, kind] = True


@jit
def group_loop(numbers: _Ints, place_of: npt.NDArray[np.int32], order: _Ints) -> _Ints:
    """Sort numbers, stably: put the order to ``order``, give the distinct ones.

    ``place_of`` has a place for every number, and comes with zeros; it is left with the
    place of each number among the distinct ones.
    """
    for number in numbers:
        place_of[number] += np.int32(1)
    distinct = 0
    for count in place_of:
        distinct += count > 0
    found = np.empty(distinct, np.int64)
    begin = np.empty(distinct, np.int64)
    place = total = 0
    for number in range(len(place_of)):
        count = place_of[number]
        if count:
            found[place], begin[place] = number, total
            place_of[number] = place
            total += count
            place += 1
    for use in range(len(numbers)):
        place = place_of[numbers[use]]
        order[begin[place]] = use
        begin[place] += 1
    return found
