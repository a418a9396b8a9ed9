"""Every setting once: name, type, unit, default, help.

:class:`Config` is the table. The command line, the environment (``DISTILLWATCH_`` and
the name in capitals), the README table and the validation are all made from its
fields, so a setting cannot be in one of them and missing in another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self, get_type_hints

from streams.errors import ConfigError

__all__ = ["ENV_PREFIX", "Config", "Setting", "settings"]

ENV_PREFIX = "DISTILLWATCH_"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings.

    >>> settings()[0].environment
    'DISTILLWATCH_BOOTSTRAP'
    """

    name: str
    type: type
    unit: str
    default: Any
    help: str
    minimum: float | None
    choices: tuple[str, ...]
    secret: bool

    @property
    def environment(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + self.name.upper()

    def parse(self, text: str) -> Any:
        """Read the value from text; raise `ConfigError` that names the setting."""
        try:
            if self.type is bool:
                return _parse_bool(text)
            return self.type(text)
        except ValueError as error:
            shown = "(hidden)" if self.secret else repr(text)
            raise ConfigError(
                f"{self.environment}={shown} is not a {self.type.__name__}; "
                f"{self.help} Default: {self.default!r}."
            ) from error

    def check(self, value: Any) -> None:
        """Raise `ConfigError` unless the value is within the setting's range."""
        if self.minimum is not None and value < self.minimum:
            raise ConfigError(
                f"setting {self.name} = {value!r} is below its minimum "
                f"{self.minimum:g} {self.unit}".rstrip()
            )
        if self.choices and value not in self.choices:
            raise ConfigError(
                f"setting {self.name} = {value!r} is none of {', '.join(self.choices)}"
            )


def _parse_bool(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError(text)


def _setting(
    default: Any,
    help_: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    metadata = {
        "help": help_,
        "unit": unit,
        "minimum": minimum,
        "choices": choices,
        "secret": secret,
    }
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of one process, frozen and checked.

    >>> Config(flush_interval=0.5).flush_interval
    0.5
    >>> Config(flush_interval=-1)
    Traceback (most recent call last):
    streams.errors.ConfigError: setting flush_interval = -1 is below its minimum 0.01 s
    """

    bootstrap: str = _setting(
        "127.0.0.1:9092", "Kafka bootstrap servers, host:port, comma-separated."
    )
    app_id: str = _setting(
        "distillwatch", "Consumer group and prefix of the changelog topics."
    )
    mode: str = _setting(
        "shadow",
        "shadow: actions are published but not to be enforced; enforce: they are.",
        choices=("shadow", "enforce"),
    )
    flush_interval: float = _setting(
        0.5,
        "How often, at most, outputs and dirty state rows go to Kafka and offsets move "
        "on. Where minutes close that often an action waits for up to one of them, and "
        "some 0.1 s; 0.05 is the low-latency setting, and costs throughput.",
        unit="s",
        minimum=0.01,
    )
    idle_timeout: float = _setting(
        5.0,
        "A partition read to its end and silent for so long is closed up to the "
        "minute that the other partitions had reached when it fell silent.",
        unit="s",
        minimum=0.1,
    )
    session_timeout: float = _setting(
        10.0,
        "After so long without a heartbeat the broker gives a dead worker's "
        "partitions to others.",
        unit="s",
        minimum=1,
    )
    stall_timeout: float = _setting(
        60.0,
        "A partition that stands still for so long although records wait ends its "
        "worker; above the 30 s that a write may take.",
        unit="s",
        minimum=1,
    )
    chunk_records: int = _setting(
        1000,
        "Most records of one partition that are handed over as one chunk.",
        unit="records",
        minimum=1,
    )
    unflushed_records: int = _setting(
        50_000,
        "After so many records of one partition a flush does not wait for its "
        "interval, and reading waits for the flush.",
        unit="records",
        minimum=1,
    )
    max_future: float = _setting(
        24.0,
        "An event dated further ahead of its Kafka timestamp is dead-lettered: "
        "one wrong clock must not close everybody's minutes.",
        unit="h",
        minimum=0,
    )
    appeal_key: str = _setting(
        "",
        "Secret in the tokens that customers quote in appeals, so that nobody can "
        "guess one; all workers need the same.",
        secret=True,
    )
    catalogue: str = _setting(
        "",
        "File of public templates that link nobody, made by `distillwatch catalogue "
        "build` with the sketch keys; all workers need the same. Empty: none.",
    )
    registry_url: str = _setting(
        "", "Confluent-compatible schema registry; empty: single-object framing only."
    )

    def __post_init__(self) -> None:
        for setting in settings():
            setting.check(getattr(self, setting.name))

    @classmethod
    def from_mapping(cls, values: Mapping[str, str]) -> Self:
        """Build from environment-like text values; unknown names are an error.

        >>> Config.from_mapping({"DISTILLWATCH_MODE": "enforce"}).mode
        'enforce'
        """
        known = {setting.environment: setting for setting in settings()}
        ours = {k: v for k, v in values.items() if k.startswith(ENV_PREFIX)}
        unknown = sorted(set(ours) - set(known))
        if unknown:
            raise ConfigError(
                f"no setting is called {unknown[0]}; known: {', '.join(known)}"
            )
        return cls(**{known[k].name: known[k].parse(v) for k, v in ours.items()})


def settings() -> tuple[Setting, ...]:
    """List the table of settings, in the order of the documentation."""
    hints = get_type_hints(Config)
    return tuple(
        Setting(
            name=field.name,
            type=hints[field.name],
            default=field.default,
            **field.metadata,
        )
        for field in dataclasses.fields(Config)
    )
