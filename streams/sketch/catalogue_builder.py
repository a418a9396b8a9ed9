"""Public templates and a deployment's own, sketched into a catalogue.

A template's placeholders are filled in with texts that have nothing in common, and what
two or more of its sketches share is then the template's own key. Where a template is so
short that no part of it keeps a key, it has none, and needs none: it links nobody.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import numpy as np

from streams.errors import ConfigError
from streams.sketch.catalogue import (
    CATALOGUED_KINDS,
    Catalogue,
    CatalogueEntry,
    CatalogueKey,
)
from streams.sketch.columns import sketch_columns
from streams.sketch.keyed import key_epoch
from streams.sketch.layout import SKETCH_BYTES
from streams.sketch.sketcher import Sketcher

__all__ = ["Template", "build_catalogue", "public_templates", "read_templates"]

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.]*)\s*\}\}")
_FILLING_WORDS: Final = (1, 3, 8, 15, 40, 120)
"""Words of a filling: what follows it then lies at any place of the prompt."""

_FILLING_ENDS: Final = ("", ".", "?", "\n")
_SYLLABLES: Final = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu")
_FEWEST_SHARING: Final = 2
_MOST_VARIANTS: Final = 2_000


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template: the user's message, the system prompt, or both.

    ``{{name}}`` is a placeholder. Those in ``values`` stand for one of a few texts, as
    a subject does; all others for anything.
    """

    name: str
    source: str = ""
    licence: str = ""
    prompt: str = ""
    system: str = ""
    values: dict[str, list[str]] = {}


class _Templates(msgspec.Struct, forbid_unknown_fields=True):
    template: list[Template]


def public_templates() -> list[Template]:
    """Give the templates that ship with distillwatch."""
    shipped = files("streams.sketch").joinpath("public_templates.toml")
    return _parse(shipped.read_text("utf-8"), "public_templates.toml")


def read_templates(path: Path) -> list[Template]:
    """Read a TOML file of templates, or one text; raise `ConfigError` on another."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a file of text in UTF-8") from error
    if path.suffix == ".toml":
        return _parse(text, str(path))
    return [Template(name=path.stem, source=path.name, prompt=text.strip())]


def _parse(text: str, place: str) -> list[Template]:
    try:
        read = msgspec.convert(tomllib.loads(text), _Templates).template
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"{place}: {error}; a file of templates has tables [[template]] with name, "
            f"source, licence, prompt, system and values"
        ) from error
    for template in read:
        if not template.prompt and not template.system:
            raise ConfigError(f"{place}: template {template.name} has no text")
    names = Counter(template.name for template in read)
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise ConfigError(f"{place}: two templates are called {twice[0]}")
    return read


def build_catalogue(
    templates: Iterable[Template],
    keys: Sequence[tuple[str, bytes]],
    progress: Iterable[Template] | None = None,
) -> Catalogue:
    """Sketch templates with each (key id, key); those without a key stay, empty.

    ``progress`` may be the templates once more, wrapped so that it shows how far it is.

    >>> ask = Template("ask", prompt="Please say in Latin, not in Greek: {{text}}")
    >>> built = build_catalogue([ask], [("2026-03", b"k" * 32)])
    >>> {kind: len(keys) for kind, keys in built.entries[0].keys.items()}
    {'head': 1, 'band0': 1}
    """
    sketchers = [(key_id, Sketcher(key, key_id)) for key_id, key in keys]
    return Catalogue(
        keys=[
            CatalogueKey(key_id, key_epoch(key_id), sketcher.fingerprint)
            for key_id, sketcher in sketchers
        ],
        entries=[
            CatalogueEntry(
                template.name,
                template.source,
                template.licence,
                _keys_of(template, [sketcher for _, sketcher in sketchers]),
            )
            for template in (templates if progress is None else progress)
        ],
    )


def _keys_of(template: Template, sketchers: list[Sketcher]) -> dict[str, list[str]]:
    found: dict[str, set[int]] = {kind: set() for kind in CATALOGUED_KINDS}
    for variant, texts in enumerate(_variants(template)):
        filled = [_fill(texts, variant, n) for n in range(_fillings(texts))]
        for sketcher in sketchers:
            sketches = sketcher.sketch_many(
                [prompt for prompt, _ in filled],
                systems=[system or None for _, system in filled],
            )
            joined = b"".join(map(bytes, sketches))
            matrix = np.frombuffer(joined, np.uint8).reshape(-1, SKETCH_BYTES)
            columns = sketch_columns(matrix)
            for kind in CATALOGUED_KINDS:
                counts = Counter(getattr(columns, kind).tolist())
                # A text without any placeholder has but one sketch.
                fewest = min(_FEWEST_SHARING, len(filled))
                found[kind].update(
                    key for key, count in counts.items() if key and count >= fewest
                )
    return {
        kind: [f"{key:016x}" for key in sorted(keys)]
        for kind, keys in found.items()
        if keys
    }


def _variants(template: Template) -> Iterator[tuple[str, str]]:
    """Give prompt and system with each combination of the listed values."""
    names = [name for name in template.values if template.values[name]]
    combinations = list(product(*(template.values[name] for name in names)))
    if len(combinations) > _MOST_VARIANTS:
        raise ConfigError(
            f"template {template.name} has {len(combinations):,} combinations of "
            f"values, more than {_MOST_VARIANTS:,}; make some of them placeholders"
        )
    for chosen in combinations:
        values = dict(zip(names, chosen, strict=True))

        def value(match: re.Match[str], values: dict[str, str] = values) -> str:
            return values.get(match[1], match[0])

        yield (
            _PLACEHOLDER.sub(value, template.prompt),
            _PLACEHOLDER.sub(value, template.system),
        )


def _fillings(texts: tuple[str, str]) -> int:
    filled = any(_PLACEHOLDER.search(text) for text in texts)
    return len(_FILLING_WORDS) * len(_FILLING_ENDS) if filled else 1


def _fill(texts: tuple[str, str], variant: int, number: int) -> tuple[str, str]:
    """Fill in all placeholders; no two fillings share as much as a word."""
    chance = Random(f"{variant} {number}")  # noqa: S311 - texts to fill in, no secret
    words = _FILLING_WORDS[number % len(_FILLING_WORDS)]
    end = _FILLING_ENDS[number // len(_FILLING_WORDS)]

    def filling(_: re.Match[str]) -> str:
        return " ".join(_word(chance) for _ in range(words)) + end

    prompt, system = (_PLACEHOLDER.sub(filling, text) for text in texts)
    return prompt, system


def _word(chance: Random) -> str:
    return "".join(chance.choice(_SYLLABLES) for _ in range(5))
