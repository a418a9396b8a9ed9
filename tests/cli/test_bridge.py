from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = "from streams.cli import main; main()"
KEY = "0123456789abcdef"


def run(*arguments: str, prelude: str = "") -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [sys.executable, "-c", prelude + COMMAND, "bridge", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_key_is_made_for_the_file() -> None:
    code, told, _ = run("key", "edge-1")
    assert code == 0
    assert re.fullmatch(r"edge-1:[\w-]{43}\n", told)


def test_a_missing_extra_says_how_to_install_it(tmp_path: Path) -> None:
    code, _, error = run(
        *("crowdsec", "--api-key-file", str(tmp_path / "keys")),
        prelude="import sys; sys.modules['starlette'] = None; ",
    )
    assert code == 1
    assert "run: pip install 'distillwatch[bridges]'" in error
    extras = importlib.metadata.metadata("distillwatch").get_all("Provides-Extra")
    assert "bridges" in (extras or [])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--listen", "8080"), "--listen 8080 is not HOST:PORT, as 127.0.0.1:8080"),
        (("--listen", "[::1]:99999"), "--listen [::1]:99999 is not HOST:PORT"),
        (("--type", "suspend"), "--type suspend is not RUNG=TYPE, as suspend=ban"),
        (("--type", "banish=ban"), "banish is no rung; rungs are: observe, label, "),
        (("--omit", "banish"), "banish is no rung"),
    ],
)
def test_wrong_options_are_told(
    tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"edge:{KEY}\n")
    code, _, error = run("crowdsec", "--api-key-file", str(keys), *options)
    assert code == 1
    assert error.startswith(f"ConfigError: {told}")
