"""Costs of sketches by kind of text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from streams.cli.benchmarks.show_producers import sketch_table
from streams.cli.benchmarks.sketches import measure_sketches
from streams.errors import CorpusNotFound


def test_prompts_of_a_folder_are_measured(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "some.jsonl.gz", "wt") as file:
        for number in range(300):
            line = {"role": "legit-interactive", "text": f"What is {number} and why?"}
            file.write(json.dumps(line) + "\n")
    result = measure_sketches(tmp_path, rounds=1)
    told = result.as_json()
    assert told["targets"] == {"many_us": 60}
    assert {*told} == {"chat", "bulk", "reasoning", "code", "targets"}
    assert min(told["chat"].values()) > 0
    assert sketch_table(result).row_count == 5


def test_a_folder_without_prompts_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFound):
        measure_sketches(tmp_path, rounds=1)
