"""Units of time: records carry milliseconds, and the core counts event time in minutes.

>>> MS_PER_DAY // MS_PER_MINUTE == MINUTES_PER_DAY
True
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "HOURS_PER_DAY",
    "MINUTES_PER_DAY",
    "MINUTES_PER_HOUR",
    "MINUTES_PER_WEEK",
    "MS_PER_DAY",
    "MS_PER_HOUR",
    "MS_PER_MINUTE",
]

MINUTES_PER_HOUR: Final = 60
HOURS_PER_DAY: Final = 24
MINUTES_PER_DAY: Final = HOURS_PER_DAY * MINUTES_PER_HOUR
MINUTES_PER_WEEK: Final = 7 * MINUTES_PER_DAY
MS_PER_MINUTE: Final = 60_000
MS_PER_HOUR: Final = MINUTES_PER_HOUR * MS_PER_MINUTE
MS_PER_DAY: Final = HOURS_PER_DAY * MS_PER_HOUR
