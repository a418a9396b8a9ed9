"""A catalogue of public prompt templates, as keys that sketches can be compared with.

An evaluation harness, a judge or an agent framework gives honest strangers one and the
same template, and what many accounts share is what the detector links by. A template in
the catalogue links nobody. Only keyed hashes are kept, so a catalogue belongs to the
sketch keys that it was built with (`streams.sketch.catalogue_builder`), and is as
confidential as sketches are.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import ConfigError
from streams.sketch.layout import SKETCH_VERSION

__all__ = [
    "CATALOGUED_KINDS",
    "Catalogue",
    "CatalogueEntry",
    "CatalogueIndex",
    "CatalogueKey",
    "load_catalogue",
]

CATALOGUED_KINDS: Final = ("head", "tail", "band0", "band1", "system")
"""Parts of a sketch that are template keys, in the order of the engine's columns."""

_USER_TEXT: Final = slice(0, 4)
_BANDS: Final = slice(2, 4)
_FORMAT: Final = 1
_DIGEST_BYTES: Final = 4


class CatalogueKey(msgspec.Struct, frozen=True):
    """A sketch key by name; ``fingerprint`` is `Sketcher.fingerprint`.

    ``epoch`` is the byte that sketches made with the key carry.
    """

    key_id: str
    epoch: int
    fingerprint: str


class CatalogueEntry(msgspec.Struct, frozen=True):
    """A template's keys by kind, 16 hexadecimal digits each, for all sketch keys."""

    name: str
    source: str
    licence: str
    keys: dict[str, list[str]]


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """Templates that link nobody, under one or more sketch keys."""

    keys: list[CatalogueKey]
    entries: list[CatalogueEntry]
    format: int = _FORMAT
    sketch_version: int = SKETCH_VERSION

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that change with the content."""
        return blake2b(self.encode(), digest_size=_DIGEST_BYTES).hexdigest()

    @cached_property
    def index(self) -> CatalogueIndex:
        """The keys as columns to look up."""
        return CatalogueIndex.of(self)

    def encode(self) -> bytes:
        """Give the JSON that `decode` reads, a line an entry."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @classmethod
    def decode(cls, raw: bytes, place: str) -> Self:
        """Read the JSON; raise `ConfigError`, which names ``place``, on another one."""
        try:
            read = msgspec.json.decode(raw, type=cls)
            for entry in read.entries:
                for kind, keys in entry.keys.items():
                    CATALOGUED_KINDS.index(kind)
                    for key in keys:
                        int(key, 16)
        except ValueError as error:
            raise ConfigError(
                f"{place} is not a catalogue ({error}); make one: distillwatch "
                f"catalogue build"
            ) from error
        if (read.format, read.sketch_version) != (_FORMAT, SKETCH_VERSION):
            raise ConfigError(
                f"{place} is of another version of distillwatch: its templates must be "
                f"sketched anew, with distillwatch catalogue build"
            )
        return read


class CatalogueIndex(NamedTuple):
    """All keys of a catalogue, sorted, and which entry each one belongs to.

    ``epochs`` (256) tells which key bytes of a sketch are those of its sketch keys.
    """

    keys: NDArray[np.uint64]
    entry: NDArray[np.int64]
    epochs: NDArray[np.bool_]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Self:
        """Sort a catalogue's keys. Kinds need no telling apart: their hashes differ."""
        pairs = {
            int(key, 16): number
            for number, entry in enumerate(catalogue.entries)
            for keys in entry.keys.values()
            for key in keys
        }
        found = sorted(pairs)
        epochs = np.zeros(256, bool)
        epochs[[key.epoch for key in catalogue.keys]] = True
        return cls(
            np.array(found, np.uint64),
            np.array([pairs[key] for key in found], np.int64),
            epochs,
        )

    def find(self, templates: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Give the entry that each key belongs to, -1 for none."""
        if not len(self.keys):
            return np.full(templates.shape, -1, np.int64)
        at = np.minimum(np.searchsorted(self.keys, templates), len(self.keys) - 1)
        return np.where(self.keys[at] == templates, self.entry[at], -1)

    def without(
        self, templates: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Clear what is catalogued from template keys (n, 5); tell where there was any.

        The bands describe the text that head and tail begin and end, and vary with its
        fillings: they go where any key of that text is in the catalogue. A head of a
        catalogued template with a tail of its own keeps the tail: that is not public.
        """
        known = self.find(templates) >= 0
        text = np.logical_or.reduce(known[:, _USER_TEXT], axis=1)
        known[:, _BANDS] |= text[:, None]
        public: NDArray[np.bool_] = np.logical_or.reduce(known, axis=1)
        return np.where(known, np.uint64(0), templates), public


@lru_cache(maxsize=8)
def load_catalogue(path: str) -> Catalogue:
    """Read a catalogue, once in a process; raise `ConfigError` if that cannot be."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the catalogue {path} cannot be read ({error.strerror}); make one: "
            f"distillwatch catalogue build"
        ) from error
    return Catalogue.decode(raw, path)
