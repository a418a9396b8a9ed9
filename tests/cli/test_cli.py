from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cyclopts import App

from streams.cli import VERBS, app

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()"]


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def commands() -> Iterator[tuple[str, ...]]:
    for verb in VERBS:
        yield (verb,)
        yield from ((verb, name) for name in app[verb] if not name.startswith("-"))


def command(words: tuple[str, ...]) -> App:
    found = app
    for word in words:
        found = found[word]
    return found


@pytest.mark.parametrize("words", [*commands()], ids=" ".join)
def test_each_command_tells_what_it_does_and_what_it_takes(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        app([*words, "--help"])
    told = capsys.readouterr().out
    assert told.startswith(f"Usage: distillwatch {' '.join(words)}")
    first = command(words).help.splitlines()[0]
    assert first.endswith(".")
    assert first.split()[0] in told
    if command(words).default_command is None:
        return  # it only has subcommands
    takes = command(words).assemble_argument_collection(parse_docstring=True)
    for argument in takes:
        assert not argument.show or argument.parameter.help, argument.name


def test_without_a_verb_each_verb_is_listed_in_order_with_its_line() -> None:
    code, told, error = run()
    assert (code, error) == (0, "")
    lines = [line.strip("│ ").split() for line in told.splitlines()]
    listed = [words for words in lines if words and words[0] in VERBS]
    assert [words[0] for words in listed] == list(VERBS)
    for words in listed:
        assert words[1] == app[words[0]].help.split()[0]
    assert run("--help")[1] == told


def test_a_verb_loads_no_room_that_another_verb_needs() -> None:
    listing = "import sys; print([m for m in sys.modules if m in ('faust', 'polars')])"
    done = subprocess.run(  # noqa: S603  our own command line
        [sys.executable, "-c", f"from streams.cli import app; app['run']; {listing}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [["watch"], ["run", "--wokers", "2"], ["replay"]])
def test_a_typing_error_is_told_without_a_traceback(arguments: list[str]) -> None:
    code, told, error = run(*arguments)
    assert code != 0
    assert told == ""
    assert "Traceback" not in error
    assert error


def test_the_brackets_of_a_place_are_shown() -> None:
    done = subprocess.run(  # noqa: S603  our own command line
        [*COMMAND, "settings"],
        env=os.environ | {"DISTILLWATCH_BOOTSTRAP[0]": "kafka:9092"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "ConfigError: no setting is called DISTILLWATCH_BOOTSTRAP[0]; known: "
    )
