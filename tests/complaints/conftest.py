"""Makes the helpers of other folders importable, and simulates one small town."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent.parent
sys.path[:0] = [
    str(Path(__file__).parent),
    *(str(_TESTS / room) for room in ("engine", "features", "sdk", "integration")),
]


@pytest.fixture(scope="session")
def town_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five hours of a town in which one campaign cannot be overlooked."""
    from streams.scenarios.scenario import load
    from streams.scenarios.simulate import simulate

    folder = tmp_path_factory.mktemp("town")
    simulate(load(str(_TESTS / "integration" / "pipeline.toml")), folder)
    return folder
