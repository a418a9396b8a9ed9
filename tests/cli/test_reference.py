from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from streams.models.reference import GROUP_LOOKS, STRATA, WEIGHTS, load_reference

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "reference"]


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_show_tells_what_each_look_of_the_reference_can_reach() -> None:
    code, told, error = run("show")
    assert (code, error) == (0, "")
    reference = load_reference()
    assert f"reference {reference.version}" in told
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in told.splitlines()
        if line.startswith("│")
    ]
    assert rows == [
        [
            f"{look:,}",
            *(f"{n:,} ({WEIGHTS['joint'] * (n + 1):,.0f})" for n in sizes),
        ]
        for look, sizes in (
            (look, [strata[name]["joint"].size for name in STRATA])
            for look, strata in zip(GROUP_LOOKS, reference.groups, strict=True)
        )
    ]
    assert (
        told.rstrip()
        .splitlines()[-1]
        .startswith(f"{reference.bystanders.size:,} bystanders")
    )


def test_build_says_what_is_missing_before_it_works_for_minutes(
    tmp_path: Path,
) -> None:
    file = str(tmp_path / "none" / "reference.json")
    for expected, arguments, said in (
        (2, (), "--version"),
        (2, ("--version", "a", "--benign", "0"), "--benign"),
        (1, ("--version", "a"), f"ConfigError: {tmp_path / 'none'} is not a folder"),
    ):
        code, told, error = run("build", file, *arguments)
        assert (code, told) == (expected, "")
        assert said in error
        assert "Traceback" not in error
