"""All events of the last 24 hours of event time, by the hour."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.contracts.time_units import MINUTES_PER_HOUR

__all__ = ["TrafficDay"]

_HOURS: Final = 24


class TrafficDay(msgspec.Struct, array_like=True):
    """A ring of hourly totals; ``hour`` counts from the epoch and is the newest.

    >>> day = TrafficDay()
    >>> for minute, events in ((0, 5), (59, 7), (60, 1)):
    ...     day.add(minute, events)
    >>> day.total()
    13
    >>> day.add(24 * 60, 2)
    >>> day.total()
    3
    """

    hour: int = -1
    counts: list[int] = msgspec.field(default_factory=lambda: [0] * _HOURS)

    def add(self, minute: int, events: int) -> None:
        """Count the events of a minute, which never falls behind the newest hour."""
        hour = minute // MINUTES_PER_HOUR
        for passed in range(max(self.hour + 1, hour - _HOURS + 1), hour + 1):
            self.counts[passed % _HOURS] = 0
        self.hour = max(self.hour, hour)
        self.counts[hour % _HOURS] += events

    def total(self) -> int:
        """Events of the newest hour and the 23 hours before it."""
        return sum(self.counts)
