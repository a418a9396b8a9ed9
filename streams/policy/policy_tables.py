"""The tables of a policy file, key by key, with their types and ranges."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from streams.contracts.records import Rung
from streams.policy.budget import DAILY_BUDGET
from streams.policy.ladder import RUNGS
from streams.policy.policy import DAYS, Day, ScenarioMode, SubjectType

__all__ = [
    "NO_CAP",
    "WORDS",
    "CapsTable",
    "PolicyTable",
    "QuietHoursTable",
    "ScenarioTable",
    "StepTable",
    "fields_at",
]

NO_CAP: Final = "none"

_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=60)]
_Count: TypeAlias = Annotated[int, Meta(ge=1)]
_Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
_Cap: TypeAlias = Annotated[int, Meta(ge=0)] | Literal["none"]
_Clock: TypeAlias = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A TOML table whose keys are exactly the fields."""


class StepTable(_Table, frozen=True, kw_only=True):
    """``[[scenario.ladder]]``."""

    rung: Rung
    uses: _Count
    e_value: Annotated[float, Meta(ge=1)]
    confirmations: _Count
    duration: str
    parameters: dict[str, str | int] = {}
    human_review: bool = False
    several_networks: bool = False
    when: str = ""


class ScenarioTable(_Table, frozen=True, kw_only=True):
    """``[[scenario]]``."""

    name: _Name
    when: str = "true"
    mode: ScenarioMode = "inherit"
    percentage: Annotated[float, Meta(ge=0, le=100)] = 100.0
    subject_types: Annotated[tuple[SubjectType, ...], Meta(min_length=1)] = ("account",)
    direct: bool = False
    repeat_factor: Annotated[float, Meta(ge=1, le=100)] = 1.0
    max_duration: str = "90d"
    ladder: Annotated[tuple[StepTable, ...], Meta(min_length=1)] | None = None


class CapsTable(_Table, frozen=True, kw_only=True):
    """``[caps]``; "none" lifts one."""

    actions_per_hour: _Cap = 2000
    actions_per_hour_and_owner: _Cap = "none"
    traffic_share: _Share | Literal["none"] = 0.5


class QuietHoursTable(_Table, frozen=True, kw_only=True):
    """``[[quiet_hours]]``."""

    start: _Clock
    end: _Clock
    max_rung: Rung
    days: Annotated[tuple[Day, ...], Meta(min_length=1)] = DAYS


class PolicyTable(_Table, frozen=True, kw_only=True):
    """The whole file."""

    version: _Name
    daily_budget: Annotated[float, Meta(gt=0)] = DAILY_BUDGET
    watched_share: _Share = 0.25
    cool_off: str = "7d"
    caps: CapsTable = CapsTable()
    quiet_hours: tuple[QuietHoursTable, ...] = ()
    scenario: Annotated[tuple[ScenarioTable, ...], Meta(min_length=1)] | None = None


WORDS: Final[dict[str, tuple[str, ...]]] = {
    "rung": RUNGS,
    "max_rung": RUNGS,
    "mode": ("shadow", "enforce", "inherit"),
    "subject_types": ("account", "facet", "campaign"),
    "days": DAYS,
}
"""The words that a key takes."""

_TABLES: Final[dict[str, type[_Table]]] = {
    "": PolicyTable,
    "caps": CapsTable,
    "quiet_hours": QuietHoursTable,
    "scenario": ScenarioTable,
    "scenario.ladder": StepTable,
}


def fields_at(path: str) -> tuple[str, ...]:
    """Give the keys of the table at a path without indexes.

    >>> fields_at("caps")
    ('actions_per_hour', 'actions_per_hour_and_owner', 'traffic_share')
    """
    table: Any = _TABLES[path]
    return tuple(table.__struct_fields__)
