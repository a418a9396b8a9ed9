"""The obvious, slow way to keep an account's row, and random batches to compare with.

One event at a time, in plain Python, with sets and dictionaries where the kernels
have bits and sorted arrays.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from streams.features.account_row import (
    INFRASTRUCTURE_KINDS,
    MARKER_COUNT,
    MODEL_SLOTS,
    RECENT_REQUESTS,
    ROW_VERSION,
    TEMPLATE_KINDS,
)
from streams.features.event_columns import EventColumns

__all__ = [
    "HASHES",
    "Account",
    "Event",
    "batch",
    "cuts",
    "event_lists",
    "whole_minutes",
]

_KINDS = len(INFRASTRUCTURE_KINDS)
_ACCOUNTS = 4
HASHES = np.arange(10, 10 + 9 * 7, 7, dtype=np.uint64)
"""Hashes of nine facets; no two have the same lowest six bits."""


class Event(NamedTuple):
    """One event; ``minute`` is drawn as a step and added up by `event_lists`."""

    minute: int
    slot: int
    owner: int
    created: int
    model: int
    tokens: int
    markers: int
    templates: tuple[int, ...]
    exact: int
    infrastructure: tuple[int, ...]


# A tag is the lowest 32 bits of a hash: 0 and 2^32 are both "no tag".
_TEMPLATE = st.sampled_from([0, 0, 1, 2, 3, 1 << 32, (1 << 40) + 1])
_EVENT = st.builds(
    Event,
    st.sampled_from([0, 0, 0, 0, 1, 1, 30, 59, 60, 200, 1440, 5000]),
    st.integers(0, _ACCOUNTS - 1),
    st.integers(0, 2**64 - 1),
    st.integers(-1, 10**6),
    st.integers(0, 4),
    st.integers(0, 2**40),
    st.integers(0, 2**MARKER_COUNT - 1),
    st.tuples(*[_TEMPLATE] * len(TEMPLATE_KINDS)),
    st.integers(0, 3),
    st.tuples(*[st.integers(-1, len(HASHES) - 1)] * _KINDS),
)


@st.composite
def event_lists(draw: st.DrawFn, most: int = 40) -> list[Event]:
    """Draw events in log order; minutes never fall."""
    size = draw(st.integers(1, most))
    minute, events = 1000, []
    for event in draw(st.lists(_EVENT, min_size=size, max_size=size)):
        minute += event.minute
        events.append(event._replace(minute=minute))
    return events


def cuts(events: list[Event], seed: int) -> list[list[Event]]:
    """Cut events between minutes, by the bits of ``seed``."""
    parts: list[list[Event]] = [[]]
    for number, event in enumerate(events):
        new = number and event.minute != events[number - 1].minute
        if new and seed >> number % 60 & 1:
            parts.append([])
        parts[-1].append(event)
    return parts


def whole_minutes(events: list[Event]) -> list[list[Event]]:
    """Cut events into their minutes."""
    return cuts(events, 2**64 - 1)


def batch(events: list[Event]) -> EventColumns:
    """Make the columns of events, in their order."""

    def column(name: str, dtype: Any) -> npt.NDArray[Any]:
        return np.array([getattr(event, name) for event in events], dtype)

    return EventColumns(
        offset=np.arange(len(events)),
        minute=column("minute", np.int64),
        slot=column("slot", np.int64),
        owner=column("owner", np.uint64),
        created_minute=column("created", np.int64),
        refused=np.zeros(len(events), bool),
        model=column("model", np.int64),
        tokens_in=column("tokens", np.int64),
        tokens_out=column("tokens", np.int64) * 2,
        tokens_reasoning=column("tokens", np.int64) // 3,
        markers=column("markers", np.uint32),
        templates=column("templates", np.uint64),
        exact=column("exact", np.uint64),
        shared=np.zeros((len(events), len(TEMPLATE_KINDS)), bool),
        infrastructure=column("infrastructure", np.int64),
    )


_NOT_SHARED = (False,) * len(TEMPLATE_KINDS)


@dataclass
class Account:
    """One account, with one attribute for each field of the row, or what it is of."""

    first: Event
    events: int = 0
    templated: int = 0
    last_minute: int = 0
    minutes: Counter[int] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)
    tokens: list[int] = field(default_factory=list)
    models: Counter[int] = field(default_factory=Counter)
    markers: Counter[int] = field(default_factory=Counter)
    recent: deque[tuple[tuple[int, ...], int]] = field(
        default_factory=lambda: deque(maxlen=RECENT_REQUESTS)
    )
    facets: set[tuple[int, int]] = field(default_factory=set)

    def gate(self, event: Event, shared: Sequence[bool]) -> tuple[bool, ...]:
        """Tell which templates pass: seen lately with another filling, or shared."""
        tags = tuple(template % 2**16 for template in event.templates)
        filling = event.exact % 2**8
        varied = [old for old, other in self.recent if other != filling]
        passed = tuple(
            shared[kind] or (tag != 0 and any(old[kind] == tag for old in varied))
            for kind, tag in enumerate(tags)
        )
        self.recent.append((tags, filling))
        return passed

    def new_facets(self, event: Event) -> tuple[bool, ...]:
        """Tell which infrastructure facets the account had never used before."""
        used = [(kind, number) for kind, number in enumerate(event.infrastructure)]
        new = tuple(n >= 0 and (kind, n) not in self.facets for kind, n in used)
        self.facets.update(used)
        return new

    def add(
        self, event: Event, shared: Sequence[bool] = _NOT_SHARED
    ) -> tuple[tuple[bool, ...], int, int]:
        """Add an event; give what passed and the totals after it.

        ``shared`` tells which templates another owner used last.
        """
        passed = self.gate(event, shared)
        self.events += 1
        self.templated += any(passed)
        self.last_minute = event.minute
        self.minutes[event.minute] += 1
        self.hours[event.minute // 60] += 1
        self.tokens.append(event.tokens)
        self.models[event.model] += 1
        self.markers.update(
            bit for bit in range(MARKER_COUNT) if event.markers >> bit & 1
        )
        return passed, self.events, self.templated

    def row(self, buckets: list[int]) -> dict[str, Any]:
        """Give the fields that a row must have; ``buckets`` maps models."""
        models = [0] * MODEL_SLOTS
        for model, uses in self.models.items():
            models[buckets[model]] += uses
        hour = max(self.hours)
        return {
            "version": ROW_VERSION,
            "owner": self.first.owner,
            "created_minute": self.first.created,
            "first_minute": self.first.minute,
            "last_minute": self.last_minute,
            "events": self.events,
            "templated": self.templated,
            "minute_peak": max(self.minutes.values()),
            "hour": hour,
            "hour_events": self.hours[hour],
            "hour_peak": max(self.hours.values()),
            "hours_of_day": sum(1 << h for h in {hour % 24 for hour in self.hours}),
            "active_hours": len(self.hours),
            "tokens_in": sum(self.tokens),
            "tokens_out": sum(2 * tokens for tokens in self.tokens),
            "tokens_reasoning": sum(tokens // 3 for tokens in self.tokens),
            "models": models,
            "markers": [self.markers[bit] for bit in range(MARKER_COUNT)],
        }
