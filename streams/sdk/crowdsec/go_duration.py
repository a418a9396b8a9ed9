"""Durations as Go prints and parses them, which is how CrowdSec writes them."""

from __future__ import annotations

from typing import Final

__all__ = ["go_duration"]

_SECOND: Final = 1_000  # ms
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE


def go_duration(milliseconds: int) -> str:
    """Write a duration like Go's ``time.Duration.String``.

    >>> go_duration(14_398_123), go_duration(60_000), go_duration(-1_500)
    ('3h59m58.123s', '1m0s', '-1.5s')
    """
    if milliseconds < 0:
        return "-" + go_duration(-milliseconds)
    if 0 < milliseconds < _SECOND:
        return f"{milliseconds}ms"
    hours, rest = divmod(milliseconds, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    seconds, fraction = divmod(rest, _SECOND)
    text = f"{seconds}.{fraction:03}".rstrip("0") + "s" if fraction else f"{seconds}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
