"""Policy files: TOML in, a checked `Policy` out, and back.

``default.toml`` in this folder documents every key. What is wrong is named with its
place, as in ``policy.toml: scenario[1].ladder[2].rung``; the first table is 0.
"""

from __future__ import annotations

import math
import tomllib
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from streams.errors import PolicyError
from streams.policy.conditions import compile_condition
from streams.policy.durations import format_duration, parse_duration
from streams.policy.ladder import LADDER, RUNGS, Step
from streams.policy.policy import Caps, Policy, QuietHours, Scenario
from streams.policy.policy_misfit import misfit
from streams.policy.policy_tables import (
    NO_CAP,
    CapsTable,
    PolicyTable,
    ScenarioTable,
    StepTable,
)

__all__ = ["default_policy", "default_text", "parse_policy"]

_RATE: Final = "requests_per_minute"


@cache
def default_policy() -> Policy:
    """Give the shipped policy.

    >>> [step.rung for step in default_policy().scenarios[0].ladder]
    ['observe', 'throttle', 'challenge', 'summarise_reasoning', 'suspend']
    """
    return parse_policy(default_text(), place="default.toml")


def default_text() -> str:
    """Give the shipped policy as TOML, with comments that document every key."""
    file = resources.files("streams.policy") / "default.toml"
    return file.read_text(encoding="utf-8")


def parse_policy(text: str, *, place: str) -> Policy:
    r"""Read and check a policy; ``place`` is what errors call it.

    Raises `PolicyError` that names the key and the way out.

    >>> parse_policy('version = "1"', place="policy.toml").scenarios[0].name
    'default'
    >>> parse_policy('version = "1"\ncooloff = "7d"', place="policy.toml")
    Traceback (most recent call last):
    streams.errors.PolicyError: policy.toml: there is no key cooloff; did you mean
    cool_off?
    """
    try:
        read = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError(f"{place}: it is no TOML: {error}") from error
    for path, value in _numbers("", read):
        if not math.isfinite(value):
            raise PolicyError(f"{place}: {path} = {value}: write a number")
    try:
        table = msgspec.convert(read, PolicyTable)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{place}: {misfit(str(error), read)}") from error
    return _Reader(place).policy(table)


def _numbers(path: str, value: Any) -> list[tuple[str, float]]:
    if isinstance(value, dict):
        pairs = [(f"{path}.{key}" if path else key, v) for key, v in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{path}[{at}]", item) for at, item in enumerate(value)]
    else:
        return [(path, value)] if isinstance(value, float) else []
    return [found for each, item in pairs for found in _numbers(each, item)]


class _Reader:
    """Turns checked tables into a policy; errors begin with ``place``."""

    def __init__(self, place: str) -> None:
        self._place = place

    def policy(self, table: PolicyTable) -> Policy:
        scenarios = (
            (Scenario(name="default"),)
            if table.scenario is None
            else tuple(
                self._scenario(f"scenario[{at}]", each)
                for at, each in enumerate(table.scenario)
            )
        )
        self._check_scenarios(scenarios)
        for at, hours in enumerate(table.quiet_hours):
            self._check_unique(f"quiet_hours[{at}].days", hours.days)
        return Policy(
            version=table.version,
            scenarios=scenarios,
            caps=_caps(table.caps),
            quiet_hours=tuple(
                QuietHours(
                    start=hours.start,
                    end=hours.end,
                    max_rung=hours.max_rung,
                    days=hours.days,
                )
                for hours in table.quiet_hours
            ),
            cool_off_minutes=self._duration("cool_off", table.cool_off),
            daily_budget=table.daily_budget,
            watched_share=table.watched_share,
        )

    def _scenario(self, path: str, table: ScenarioTable) -> Scenario:
        longest = self._duration(f"{path}.max_duration", table.max_duration)
        self._condition(f"{path}.when", table.when)
        self._check_unique(f"{path}.subject_types", table.subject_types)
        ladder = (
            LADDER
            if table.ladder is None
            else tuple(
                self._step(f"{path}.ladder[{at}]", step)
                for at, step in enumerate(table.ladder)
            )
        )
        for at, step in enumerate(ladder):
            if at and RUNGS.index(step.rung) <= RUNGS.index(ladder[at - 1].rung):
                raise self._error(
                    f"{path}.ladder[{at}].rung",
                    f"{step.rung} does not come after {ladder[at - 1].rung}; the order "
                    f"is {', '.join(RUNGS)}",
                )
            if at and step.minutes < ladder[at - 1].minutes:
                raise self._error(
                    f"{path}.ladder[{at}].duration",
                    f"{format_duration(step.minutes)} is shorter than "
                    f"{format_duration(ladder[at - 1].minutes)}, that of "
                    f"{ladder[at - 1].rung}: climbing would end what stands early",
                )
            if step.minutes > longest:
                raise self._error(
                    f"{path}.ladder[{at}].duration",
                    f"{format_duration(step.minutes)} is longer than max_duration, "
                    f"{format_duration(longest)}",
                )
        return Scenario(
            name=table.name,
            when=table.when,
            mode=table.mode,
            percentage=table.percentage,
            subject_types=table.subject_types,
            ladder=ladder,
            direct=table.direct,
            repeat_factor=table.repeat_factor,
            max_minutes=longest,
        )

    def _step(self, path: str, table: StepTable) -> Step:
        minutes = self._duration(f"{path}.duration", table.duration)
        if minutes < 1:
            raise self._error(f"{path}.duration", "an action lasts at least 1m")
        self._condition(f"{path}.when", table.when)
        parameters = {name: str(value) for name, value in table.parameters.items()}
        if _RATE in parameters and not _is_rate(parameters[_RATE]):
            raise self._error(
                f"{path}.parameters.{_RATE}",
                f"{parameters[_RATE]!r} is no number above 0",
            )
        return Step(
            rung=table.rung,
            uses=table.uses,
            e_value=table.e_value,
            confirmations=table.confirmations,
            minutes=minutes,
            parameters=parameters,
            human_review=table.human_review,
            several_networks=table.several_networks,
            when=table.when,
        )

    def _check_scenarios(self, scenarios: tuple[Scenario, ...]) -> None:
        self._check_unique("scenario", [scenario.name for scenario in scenarios])
        for at, scenario in enumerate(scenarios):
            for before, earlier in enumerate(scenarios[:at]):
                hidden = set(scenario.subject_types) <= set(earlier.subject_types)
                if hidden and compile_condition(earlier.when).always:
                    raise self._error(
                        f"scenario[{at}]",
                        f"{scenario.name} is never reached, since "
                        f"scenario[{before}] ({earlier.name}) always holds; put it "
                        "first, or give that one a condition",
                    )

    def _check_unique(self, path: str, words: Any) -> None:
        twice = next((word for word in words if words.count(word) > 1), None)
        if twice is not None:
            raise self._error(path, f"{twice!r} is there twice")

    def _duration(self, path: str, text: str) -> int:
        try:
            return parse_duration(text)
        except PolicyError as error:
            raise self._error(path, str(error)) from error

    def _condition(self, path: str, text: str) -> None:
        try:
            compile_condition(text)
        except PolicyError as error:
            raise self._error(path, str(error)) from error

    def _error(self, path: str, reason: str) -> PolicyError:
        return PolicyError(f"{self._place}: {path}: {reason}")


def _caps(table: CapsTable) -> Caps:
    return Caps(
        **{
            name: None if value == NO_CAP else value
            for name, value in msgspec.structs.asdict(table).items()
        }
    )


def _is_rate(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False
