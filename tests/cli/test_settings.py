from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from streams.cli.settings import settings_rows
from streams.config import settings
from streams.errors import ConfigError

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "settings"]


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_in_a_pipe_each_variable_is_whole_and_has_its_unit() -> None:
    code, told, _ = run(DISTILLWATCH_FLUSH_INTERVAL="0.25")
    assert code == 0
    lines = told.splitlines()
    for setting in settings():
        assert any(f" {setting.environment} " in line for line in lines)
    (line,) = (line for line in lines if "DISTILLWATCH_FLUSH_INTERVAL" in line)
    default, here = [cell.strip() for cell in line.split("│")][2:4]
    assert (default, here) == ("0.5 s", "0.25")


def test_as_json_there_is_every_setting_with_its_value_here() -> None:
    code, told, _ = run("--json", DISTILLWATCH_MODE="enforce")
    assert code == 0
    rows = json.loads(told)
    assert list(rows) == [setting.name for setting in settings()]
    assert rows["mode"]["value"] == "enforce"
    assert rows["mode"]["default"] == "shadow"
    assert rows["session_timeout"] == {
        "variable": "DISTILLWATCH_SESSION_TIMEOUT",
        "unit": "s",
        "default": 10.0,
        "value": 10.0,
        "help": next(s.help for s in settings() if s.name == "session_timeout"),
    }


def test_a_wrong_value_is_one_line_that_names_the_variable() -> None:
    code, told, error = run(DISTILLWATCH_CHUNK_RECORDS="many")
    assert (code, told) == (1, "")
    assert error.startswith("ConfigError: DISTILLWATCH_CHUNK_RECORDS='many' is not")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "environment", [{"DISTILLWATCH_MOOD": "x"}, {"DISTILLWATCH_MODE": "loud"}]
)
def test_what_is_no_setting_is_refused(environment: Mapping[str, str]) -> None:
    with pytest.raises(ConfigError):
        settings_rows(environment)
