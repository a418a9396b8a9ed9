"""Durations as people write them in a policy and on the command line."""

from __future__ import annotations

import re
from typing import Final

from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_HOUR
from streams.errors import PolicyError

__all__ = ["format_duration", "parse_duration"]

_UNITS: Final = {"m": 1, "h": MINUTES_PER_HOUR, "d": MINUTES_PER_DAY}
_WRITTEN: Final = re.compile(r"(\d{1,7})([mhd])", re.ASCII)
_LONGEST: Final = 3650 * MINUTES_PER_DAY
"""Ten years: what is longer is a typing error."""


def parse_duration(text: str) -> int:
    """Read a duration as minutes; `PolicyError` otherwise.

    >>> parse_duration("30m"), parse_duration("24h"), parse_duration("7d")
    (30, 1440, 10080)
    >>> parse_duration("1w")
    Traceback (most recent call last):
    streams.errors.PolicyError: '1w' is no duration; write 30m, 24h or 7d
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise PolicyError(f"{text!r} is no duration; write 30m, 24h or 7d")
    minutes = int(found[1]) * _UNITS[found[2]]
    if minutes > _LONGEST:
        raise PolicyError(
            f"{text!r} is longer than ten years, {format_duration(_LONGEST)}"
        )
    return minutes


def format_duration(minutes: int) -> str:
    """Write minutes in the largest unit that divides them.

    >>> format_duration(1440), format_duration(90), format_duration(120)
    ('1d', '90m', '2h')
    """
    for unit in ("d", "h"):
        if minutes and minutes % _UNITS[unit] == 0:
            return f"{minutes // _UNITS[unit]}{unit}"
    return f"{minutes}m"
