"""Read a duration as Go writes it."""

from __future__ import annotations

import re

_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def parsed_duration(text: str) -> int:
    """Give milliseconds; every character must be understood."""
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text.removeprefix("-")
    size = sum(round(float(number) * _UNITS[unit]) for number, unit in parts)
    return -size if text.startswith("-") else size
