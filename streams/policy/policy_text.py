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
        "several_networks": step.several_networks,
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
    put in between does not make all that follow differ. Of a scenario that only one
    policy has, the keys are told that have not their default.

    >>> half = Scenario(name="default", percentage=50)
    >>> differences(Policy(version="1"), Policy(version="1", scenarios=(half,)))
    [Difference(path='scenario[default].percentage', old='100', new='50')]
    """
    before, after = _flat_policy(old, new), _flat_policy(new, old)
    return [
        Difference(path, before.get(path, ""), after.get(path, ""))
        for path in after | before
        if before.get(path) != after.get(path)
    ]


def _flat_policy(policy: Policy, other: Policy) -> dict[str, str]:
    values = policy_dict(policy)
    del values["scenario"]
    flat = _flat(values)
    names = [scenario.name for scenario in policy.scenarios]
    if len(names) > 1:
        flat["scenario order"] = ", ".join(names)
    known = {scenario.name for scenario in other.scenarios}
    for scenario in policy.scenarios:
        path = f"scenario[{scenario.name}]"
        keys = _flat(_scenario(scenario), path)
        if scenario.name not in known:
            default = Scenario(name=scenario.name)
            usual = _flat(_scenario(default), path)
            own_ladder = scenario.ladder != default.ladder
            keys = {
                key: value
                for key, value in keys.items()
                if value != usual.get(key)
                or (own_ladder and key.startswith(f"{path}.ladder"))
            }
            keys = {path: "a scenario", **keys}
        flat |= keys
    return flat


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            flat |= _flat(value, name)
        elif value and isinstance(value, list) and isinstance(value[0], dict):
            for at, item in enumerate(value):
                flat |= _flat(item, f"{name}[{item.get('rung', at)}]")
        else:
            flat[name] = value if isinstance(value, str) else _shown(value)
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return _toml(value).removesuffix(".0")
