"""Sketches of fixed prompts never change within a layout version.

Topics, references and catalogues hold sketches: one that comes out differently after
an upgrade splits every campaign in two. If a change is meant, raise ``SKETCH_VERSION``
and write the new bytes into ``golden.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.sketch import SKETCH_VERSION, Sketch, Sketcher

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text("utf-8"))
SKETCHER = Sketcher(bytes.fromhex(GOLDEN["key"]), GOLDEN["key_id"])


def test_the_file_is_of_this_version() -> None:
    assert GOLDEN["version"] == SKETCH_VERSION


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_bytes_are_as_ever(case: dict[str, Any]) -> None:
    prompt = case["prompt"] * case.get("times", 1)
    sketch = SKETCHER.sketch(prompt, **case["context"])
    assert bytes(sketch).hex() == case["sketch"]
    assert Sketch.from_bytes(bytes.fromhex(case["sketch"])).markers == set(
        case["markers"]
    )
