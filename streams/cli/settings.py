"""``distillwatch settings``: every setting with its variable, unit and default."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from streams.config import Config
from streams.config import settings as all_settings

__all__ = ["app", "settings_rows"]

_HIDDEN = "(hidden)"
_PIPE_WIDTH = 160  # columns; a pipe has none of its own, and names must not be cut

app = App(name="settings", help="List the settings, and what they are here.")


@app.default
def settings(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List the settings, and what they are here.

    Parameters
    ----------
    json
        Print one JSON object, from setting to variable, unit, default, value, help.
    """
    import msgspec
    from rich.console import Console
    from rich.table import Table

    rows = settings_rows(os.environ)
    if json:
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    table = Table()
    for heading in ("variable", "default", "here"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it is")
    for row in rows.values():
        here = "" if row["value"] == row["default"] else str(row["value"])
        default = f"{row['default']} {row['unit']}".strip()
        table.add_row(row["variable"], default, here, row["help"])
    console.print(table)


def settings_rows(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Give the settings by name, with their values in this environment.

    Raises `ConfigError` when a variable does not hold what its setting takes.

    >>> settings_rows({"DISTILLWATCH_MODE": "enforce"})["mode"]["value"]
    'enforce'
    """
    config = Config.from_mapping(environment)
    return {
        setting.name: {
            "variable": setting.environment,
            "unit": setting.unit,
            "default": setting.default,
            "value": _HIDDEN if setting.secret else getattr(config, setting.name),
            "help": setting.help,
        }
        for setting in all_settings()
    }
