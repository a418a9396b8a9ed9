"""``distillwatch topics``: bring the broker's topics in line with topics.toml."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter, validators
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from streams.bus.topics import Difference

__all__ = ["app"]

EXIT_DIFFERENT = 1

app = App(
    name="topics",
    help="Create and compare the topics of topics.toml on a Kafka cluster.",
)


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class How:
    """Which cluster, and how to answer."""

    bootstrap: str | None = None
    """Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
    DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092."""

    replication_factor: Annotated[
        int | None, Parameter(validator=validators.Number(gte=1))
    ] = None
    """Copies of each partition; by default topics.toml's for a new topic, and not
    compared for one that exists."""

    json: Annotated[bool, Parameter(negative=())] = False
    """Print JSON, one object per difference, instead of a table."""


_DEFAULT = How()


@app.command
def apply(*, how: How = _DEFAULT) -> None:
    """Create missing topics and put differing settings right.

    The partitions of a topic that exists are never changed.
    """
    from streams.bus.topics import apply_topics

    bootstrap = _bootstrap(how)
    changes = apply_topics(bootstrap, replication_factor=how.replication_factor)
    _show(changes, how, f"Changed at {bootstrap}")


@app.command
def check(*, how: How = _DEFAULT) -> None:
    """Compare and change nothing; exit code 1 if something differs."""
    from streams.bus.topics import check_topics

    bootstrap = _bootstrap(how)
    differences = check_topics(bootstrap, replication_factor=how.replication_factor)
    _show(differences, how, f"Different at {bootstrap}")
    if differences:
        sys.exit(EXIT_DIFFERENT)


def _bootstrap(how: How) -> str:
    from streams.config import Config

    return how.bootstrap or Config.from_mapping(os.environ).bootstrap


def _show(differences: list[Difference], how: How, title: str) -> None:
    if how.json:
        rows = [
            {**dataclasses.asdict(d), "repairable": d.repairable} for d in differences
        ]
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    if not differences:
        print("All topics are as topics.toml says")
        return
    table = Table("topic", "what", "expected", "found", title=title)
    for each in differences:
        table.add_row(each.topic, each.setting, each.expected, each.actual or "missing")
    Console().print(table)
