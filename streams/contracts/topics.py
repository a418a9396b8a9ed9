"""The topics: name, key, partitions, retention, compatibility, who may do what.

``schemas/topics.toml`` is the one source; ``distillwatch topics apply|check`` and
every reader and writer take names and settings from here.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from streams.contracts.schemas import schema_folder, schema_names
from streams.contracts.time_units import MS_PER_DAY
from streams.errors import ConfigError

__all__ = ["Topic", "load_topics", "parse_topics"]

_CLEANUPS = ("delete", "compact")
_COMPATIBILITIES = ("NONE", "BACKWARD_TRANSITIVE", "FULL_TRANSITIVE")
_DEFAULT_KEYS = {"replication_factor": int, "compression": str}
_TOPIC_KEYS = {
    "key": str,
    "value": str,
    "partitions": int,
    "cleanup": str,
    "compatibility": str,
    "writers": list,
    "readers": list,
}
_OPTIONAL_KEYS = {"retention_days": int}
_RAW_VALUE = "the original bytes"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic as topics.toml has it.

    ``value`` names the record (None: whatever bytes came); ``retention_ms`` is None
    when the topic is compacted and keeps its newest record per key for good.
    """

    name: str
    key: str
    value: str | None
    partitions: int
    cleanup: str
    retention_ms: int | None
    compatibility: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    replication_factor: int
    compression: str

    @property
    def config(self) -> dict[str, str]:
        """The topic-level settings of Kafka, as Kafka spells them."""
        settings = {
            "cleanup.policy": self.cleanup,
            "compression.type": self.compression,
        }
        if self.retention_ms is not None:
            settings["retention.ms"] = str(self.retention_ms)
        return settings


@cache
def load_topics() -> MappingProxyType[str, Topic]:
    """Read the shipped topics.toml, in its order, keyed by topic name.

    >>> load_topics()["llm.requests"].partitions
    8
    """
    file = schema_folder() / "topics.toml"
    return MappingProxyType(parse_topics(file.read_text(encoding="utf-8"), str(file)))


def parse_topics(text: str, file: str) -> dict[str, Topic]:
    """Read topics from TOML text; a `ConfigError` names ``file`` and the key."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not TOML: {error}") from error
    defaults = tables.pop("defaults", {})
    _check_keys(file, "defaults", defaults, _DEFAULT_KEYS, {})
    return {name: _topic(file, name, table, defaults) for name, table in tables.items()}


def _topic(file: str, name: str, table: Any, defaults: dict[str, Any]) -> Topic:
    _check_keys(file, name, table, _TOPIC_KEYS, _OPTIONAL_KEYS)
    _check_choice(file, name, "cleanup", table["cleanup"], _CLEANUPS)
    _check_choice(file, name, "compatibility", table["compatibility"], _COMPATIBILITIES)
    _check_choice(file, name, "value", table["value"], (_RAW_VALUE, *schema_names()))
    for key in ("partitions", "retention_days"):
        if table.get(key, 1) < 1:
            raise ConfigError(f"{file}: [{name}] {key} = {table[key]} is below 1")
    days = table.get("retention_days")
    if (days is None) != (table["cleanup"] == "compact"):
        raise ConfigError(
            f"{file}: [{name}] retention_days goes with cleanup = 'delete' and only "
            "with it"
        )
    for key in ("writers", "readers"):
        if not table[key] or not all(isinstance(who, str) for who in table[key]):
            raise ConfigError(f"{file}: [{name}] {key} must list names of roles")
    return Topic(
        name=name,
        key=table["key"],
        value=None if table["value"] == _RAW_VALUE else table["value"],
        partitions=table["partitions"],
        cleanup=table["cleanup"],
        retention_ms=None if days is None else days * MS_PER_DAY,
        compatibility=table["compatibility"],
        writers=tuple(table["writers"]),
        readers=tuple(table["readers"]),
        replication_factor=defaults["replication_factor"],
        compression=defaults["compression"],
    )


def _check_keys(
    file: str,
    name: str,
    table: Any,
    required: Mapping[str, type],
    optional: Mapping[str, type],
) -> None:
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: [{name}] is not a table")
    for key in required:
        if key not in table:
            raise ConfigError(f"{file}: [{name}] {key} is missing")
    known = {**required, **optional}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(
                f"{file}: [{name}] {key} is not known; known: {', '.join(known)}"
            )
        if type(value) is not known[key]:
            raise ConfigError(
                f"{file}: [{name}] {key} = {value!r} is not a {known[key].__name__}"
            )


def _check_choice(
    file: str, name: str, key: str, value: str, choices: tuple[str, ...]
) -> None:
    if value not in choices:
        raise ConfigError(
            f"{file}: [{name}] {key} = {value!r} is none of {', '.join(choices)}"
        )
