"""What is wrong with a policy file, in the words of the file."""

from __future__ import annotations

import difflib
import re
from typing import Any, Final

from streams.policy.conditions import did_you_mean
from streams.policy.policy_tables import NO_CAP, WORDS, fields_at

__all__ = ["misfit"]

_PLAIN: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def misfit(message: str, read: dict[str, Any]) -> str:
    """Say what msgspec found wrong with what was ``read``, in the words of the file.

    >>> misfit("Expected `int` >= 0 - at `$.caps.actions_per_hour`",
    ...        {"caps": {"actions_per_hour": -1}})
    'caps.actions_per_hour = -1: expected a whole number >= 0'
    """
    reason, _, at = message.partition(" - at `$")
    path = at.rstrip("`").lstrip(".")
    table = re.sub(r"\[\d*\]", "", path)
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", reason)
    if unknown:
        key = f"{path}.{unknown[1]}" if path else unknown[1]
        near = did_you_mean(unknown[1], fields_at(table))
        return f"there is no key {key}; {near}"
    missing = re.fullmatch(r"Object missing required field `(.*)`", reason)
    if missing:
        return f"{path}.{missing[1]} is missing" if path else f"{missing[1]} is missing"
    name = table.rpartition(".")[2]
    if reason.startswith("Invalid enum value") and name in WORDS:
        word = str(_value_at(read, path))
        close = difflib.get_close_matches(word, WORDS[name], n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        return f"{path} = {word!r}: {meant}known: {', '.join(WORDS[name])}"
    if "regex" in reason:
        return f"{path} = {_value_at(read, path)!r} is no time of day; write 22:00"
    value = _value_at(read, path)
    shown = f" = {value!r}" if isinstance(value, str | int | float) else ""
    if table.startswith("caps.") and isinstance(value, str):
        return f'{path}{shown}: write a number, or "{NO_CAP}" for no cap'
    reason = re.sub("`([a-z |]+)`", lambda found: _plain(found[1]), reason)
    return f"{path}{shown}: {reason[0].lower()}{reason[1:]}"


def _plain(types: str) -> str:
    """Name types as people do who do not write Python."""
    named = [_PLAIN.get(each, each) for each in types.split(" | ") if each != "null"]
    return " or ".join(named)


def _value_at(read: Any, path: str) -> Any:
    for part in re.finditer(r"(\w+)|\[(\d+)\]", path):
        key, index = part.groups()
        try:
            read = read[int(index)] if index else read[key]
        except (KeyError, IndexError, TypeError):
            return None
    return read
