"""The small traffic and a stand, made once for all tests of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.cli.benchmarks.stand import Stand
from streams.cli.benchmarks.stand import stand as make_stand
from streams.cli.benchmarks.traffic import QUICK, cached_traffic


@pytest.fixture(scope="session")
def traffic() -> Path:
    return cached_traffic(QUICK)


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    with make_stand(lambda _step, _detail: None) as made:
        yield made
