"""What the tests of verbs share."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from streams.cli import main

# Helpers lie beside the tests that use them.
sys.path.insert(0, str(Path(__file__).parent))

Invoke: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Invoke:
    """Return a function that runs the command line: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["distillwatch", *arguments])
        capsys.readouterr()
        try:
            with warnings.catch_warnings():
                # Cyclopts takes a call without tokens for an oversight in a test.
                warnings.filterwarnings("ignore", "Cyclopts application invoked")
                main()
        except SystemExit as end:
            code = end.code
        else:
            code = 0
        out, err = capsys.readouterr()
        assert isinstance(code, int | None), code
        return code or 0, out, err

    return run
