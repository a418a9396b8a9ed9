"""What the sketch of a prompt costs, by the kind of its text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from streams.cli.benchmarks.producers import TARGETS
from streams.scenarios.corpora import Corpora
from streams.sdk.producer_benchmark import SketchCost, measure_sketch

__all__ = ["SketchCosts", "measure_sketches"]

_SEED: Final = 7
_MOST: Final = 4_000
"""Prompts of each role; some of their words are rare, as they are among people's."""
_ROLES: Final = {
    "chat": "legit-interactive",
    "bulk": "legit-bulk",
    "reasoning": "campaign-cot",
    "code": "campaign-cod",
}


class SketchCosts(NamedTuple):
    """Costs of one thousand characters by kind of text."""

    costs: Mapping[str, SketchCost]

    def as_json(self) -> dict[str, Any]:
        """Give microseconds by kind, and the target."""
        return {
            **{kind: dataclasses.asdict(cost) for kind, cost in self.costs.items()},
            "targets": {"many_us": TARGETS["sketch_us"]},
        }


def measure_sketches(corpus: Path | None, *, rounds: int) -> SketchCosts:
    """Measure each kind of prompt, of a folder or made up.

    Raises `CorpusNotFound` and `ScenarioError` as `Corpora.read` does.
    """
    pools = Corpora.generated(_SEED) if corpus is None else Corpora.read(corpus, _SEED)
    return SketchCosts(
        {
            kind: measure_sketch(
                [prompt.text for prompt in pools.pool((role,))[:_MOST]], rounds=rounds
            )
            for kind, role in _ROLES.items()
        }
    )
