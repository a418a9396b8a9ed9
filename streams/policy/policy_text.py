"""A policy as canonical TOML, and what differs between two policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from streams.policy.durations import format_duration
from streams.policy.ladder import Step
from streams.policy.policy import Policy, Scenario
from streams.policy.policy_tables import NO_CAP

__all__ = ["Difference", "differences", "policy_dict", "policy_toml"]


class Difference(NamedTuple):
    """One value that differs; empty where a policy has no such thing."""

    path: str
    old: str
    new: str


def policy_dict(policy: Policy) -> dict[str, Any]:
    """Give a policy as the values of its file, every key written out."""
    caps = msgspec.structs.asdict(policy.caps)
    return {
        "version": policy.version,
        "daily_budget": policy.daily_budget,
        "watched_share": policy.watched_share,
        "cool_off": format_duration(policy.cool_off_minutes),
        "caps": {key: NO_CAP if cap is None else cap for key, cap in caps.items()},
        "quiet_hours": [
            {
                "days": list(hours.days),
                "start": hours.start,
                "end": hours.end,
                "max_rung": hours.max_rung,
            }
            for hours in policy.quiet_hours
        ],
        "scenario": [_scenario(scenario) for scenario in policy.scenarios],
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "when": scenario.when,
        "mode": scenario.mode,
        "percentage": scenario.percentage,
        "subject_types": list(scenario.subject_types),
        "direct": scenario.direct,
        "repeat_factor": scenario.repeat_factor,
        "max_duration": format_duration(scenario.max_minutes),
        "ladder": [_step(step) for step in scenario.ladder],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "rung": step.rung,
        "uses": step.uses,
        "e_value": step.e_value,
        "confirmations": step.confirmations,
        "duration": format_duration(step.minutes),
        "parameters": dict(step.parameters),
        "human_review": step.human_review,
        "when": step.when,
    }


def policy_toml(policy: Policy) -> str:
    """Write a policy so that `parse_policy` reads the same again; without comments."""
    return "\n".join(_tables("", policy_dict(policy))).strip() + "\n"


def _tables(path: str, values: Mapping[str, Any]) -> list[str]:
    """Write a table's own keys, then the tables in it, as TOML wants it."""
    own, inner = [], []
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        if key in ("quiet_hours", "scenario", "ladder"):
            for item in value:
                inner += ["", f"[[{name}]]", *_tables(name, item)]
        elif key == "caps":
            inner += ["", f"[{name}]", *_tables(name, value)]
        else:
            own.append(f"{key} = {_toml(value)}")
    return own + inner


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # JSON's escapes are TOML's, but for DEL, which JSON lets stand.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            pairs = [f"{_toml(key)} = {_toml(item)}" for key, item in value.items()]
            return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
        case _:
            return repr(value)


def differences(old: Policy, new: Policy) -> list[Difference]:
    """List what differs, in the order of the new policy's file, then what is gone.

    Scenarios are matched by name and the steps of a ladder by rung, so a table that was
    put in between does not make all that follow differ.

    >>> half = Scenario(name="default", percentage=50)
    >>> differences(Policy(version="1"), Policy(version="1", scenarios=(half,)))
    [Difference(path='scenario[default].percentage', old='100', new='50')]
    """
    before, after = _flat(policy_dict(old)), _flat(policy_dict(new))
    return [
        Difference(path, before.get(path, ""), after.get(path, ""))
        for path in after | before
        if before.get(path) != after.get(path)
    ]


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            flat |= _flat(value, name)
        elif value and isinstance(value, list) and isinstance(value[0], dict):
            labels = [_label(at, item) for at, item in enumerate(value)]
            if len(labels) > 1 and key == "scenario":
                flat[f"{name} order"] = ", ".join(labels)
            for label, item in zip(labels, value, strict=True):
                flat |= _flat(item, f"{name}[{label}]")
        else:
            flat[name] = value if isinstance(value, str) else _shown(value)
    return flat


def _shown(value: Any) -> str:
    return (
        ", ".join(value) if isinstance(value, list) else _toml(value).removesuffix(".0")
    )


def _label(at: int, item: Mapping[str, Any]) -> str:
    return str(item.get("name") or item.get("rung") or at)
