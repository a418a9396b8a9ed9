"""The words that prompts are made of: ``lexicon.toml`` and ``wordings.toml``."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

__all__ = ["LEXICON", "WORDINGS"]


def _read(name: str) -> dict[str, Any]:
    file = resources.files("streams.scenarios") / name
    return tomllib.loads(file.read_text(encoding="utf-8"))


LEXICON: dict[str, list[str]] = _read("lexicon.toml")
"""For each slot, the words and patterns that may fill it."""

WORDINGS: dict[str, list[list[str]]] = _read("wordings.toml")
"""For each shape of template, its parts; for each part, the sentences to choose of."""
