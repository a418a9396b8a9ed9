"""``distillwatch schemas``: bring a registry in line with the shipped schemas."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.bus.subjects import Subject

__all__ = ["app"]

EXIT_DIFFERENT = 1
_PIPE_WIDTH = 120  # columns; a pipe has none of its own, and names must not be cut

app = App(
    name="schemas",
    help="Register and compare the schemas of topics.toml in a schema registry.",
)


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class How:
    """Which registry, and how to answer."""

    registry: str | None = None
    """URL of a registry with Confluent's API; by default the setting
    DISTILLWATCH_REGISTRY_URL."""

    json: Annotated[bool, Parameter(negative=())] = False
    """Print JSON, one object per subject, instead of a table."""


_DEFAULT = How()


@app.command
def register(*, how: How = _DEFAULT) -> None:
    """Register the schema of each topic as TOPIC-value and show its id.

    The compatibility of each subject becomes that of topics.toml. Nothing is deleted.
    """
    from streams.bus.subjects import register_schemas

    _show(register_schemas(_registry(how)), how)


@app.command
def check(*, how: How = _DEFAULT) -> None:
    """Compare and change nothing; exit code 1 if something differs."""
    from streams.bus.subjects import check_schemas

    subjects = check_schemas(_registry(how))
    _show(subjects, how)
    if not all(subject.in_line for subject in subjects):
        sys.exit(EXIT_DIFFERENT)


def _registry(how: How) -> str:
    from streams.config import Config

    url = how.registry or Config.from_mapping(os.environ).registry_url
    if not url:
        raise ConfigError(
            "there is no schema registry: give --registry URL, or set "
            "DISTILLWATCH_REGISTRY_URL"
        )
    return url


def _show(subjects: list[Subject], how: How) -> None:
    if how.json:
        rows = [{**dataclasses.asdict(s), "in_line": s.in_line} for s in subjects]
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    table = Table("subject", "record", "id", "compatibility", "found")
    for each in subjects:
        schema_id = "missing" if each.schema_id is None else str(each.schema_id)
        found = each.found or "none of its own"
        table.add_row(each.name, each.record, schema_id, each.compatibility, found)
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)
