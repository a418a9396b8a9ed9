"""What a catalogue covers: its templates under its keys, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.errors import ConfigError
from streams.sketch import Sketcher
from streams.sketch.catalogue import (
    CATALOGUED_KINDS,
    Catalogue,
    CatalogueEntry,
    CatalogueIndex,
    CatalogueKey,
    load_catalogue,
)
from streams.sketch.columns import sketch_columns
from streams.sketch.layout import SKETCH_BYTES

_HEAD, _TAIL, _BAND0, _BAND1, _SYSTEM = range(len(CATALOGUED_KINDS))
_WORDS = st.integers(1, 12)
_ENTRIES = st.lists(
    st.dictionaries(st.sampled_from(CATALOGUED_KINDS), st.lists(_WORDS), max_size=5),
    max_size=4,
)
_ENTRY = (
    b'{"keys": [], "entries": [{"name": "a", "source": "", "licence": "", "keys": %s}]}'
)
_ROWS = st.lists(st.tuples(*[st.integers(0, 14)] * 5), min_size=1, max_size=20)


def catalogue_of(entries: list[dict[str, list[int]]]) -> Catalogue:
    return Catalogue(
        [CatalogueKey("2026-03", 7, "00ff")],
        [
            CatalogueEntry(
                f"template-{number}",
                "somewhere",
                "MIT",
                {kind: [f"{key:016x}" for key in keys] for kind, keys in one.items()},
            )
            for number, one in enumerate(entries)
        ],
    )


def template_keys(*sketches: bytes) -> NDArray[np.uint64]:
    matrix = np.frombuffer(b"".join(sketches), np.uint8).reshape(-1, SKETCH_BYTES)
    columns = sketch_columns(matrix)
    return np.stack([getattr(columns, kind) for kind in CATALOGUED_KINDS], axis=1)


@given(_ENTRIES, _ROWS)
@example([{"head": [3], "system": [5]}], [(3, 4, 6, 7, 8), (1, 1, 1, 1, 5)])
def test_what_is_catalogued_is_cleared_as_plain_python_says(
    entries: list[dict[str, list[int]]], rows: list[tuple[int, ...]]
) -> None:
    keys = {key for entry in entries for some in entry.values() for key in some}
    templates = np.array(rows, np.uint64)
    cleared, public = catalogue_of(entries).index.without(templates)
    for row, after, is_public in zip(rows, cleared.tolist(), public, strict=True):
        text = any(key in keys for key in row[:_SYSTEM])
        expected = [0 if key in keys else key for key in row]
        if text:
            expected[_BAND0] = expected[_BAND1] = 0
        assert after == expected
        assert is_public == any(key in keys for key in row)
    assert templates.tolist() == [list(row) for row in rows]


@given(_ENTRIES)
def test_it_survives_its_encoding(entries: list[dict[str, list[int]]]) -> None:
    catalogue = catalogue_of(entries)
    again = Catalogue.decode(catalogue.encode(), "there")
    assert again == catalogue
    assert again.digest == catalogue.digest
    one_more = catalogue_of([*entries, {"tail": [99]}])
    assert one_more.digest != catalogue.digest


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{}", "is not a catalogue"),
        (b"[1", "is not a catalogue"),
        (b'{"keys": [], "entries": [], "format": 9}', "another version"),
        (b'{"keys": [], "entries": [], "sketch_version": 9}', "another version"),
        (
            _ENTRY % b'{"nose": ["1"]}',
            "is not a catalogue",
        ),
        (
            _ENTRY % b'{"head": ["no number"]}',
            "is not a catalogue",
        ),
    ],
)
def test_another_file_is_refused_by_name(raw: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        Catalogue.decode(raw, "there.json")
    assert "there.json" in str(refused.value)
    assert "catalogue build" in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalogue(str(tmp_path / "none.json"))


def test_an_empty_catalogue_covers_nothing() -> None:
    index = CatalogueIndex.of(catalogue_of([]))
    templates = np.ones((3, 5), np.uint64)
    cleared, public = index.without(templates)
    assert (cleared == templates).all()
    assert not public.any()


@given(st.binary(min_size=16, max_size=80), st.binary(min_size=16, max_size=80))
@settings(max_examples=30)
def test_the_fingerprint_is_the_keys_and_not_the_ids(one: bytes, other: bytes) -> None:
    sketcher = Sketcher(one, "a")
    assert sketcher.fingerprint == Sketcher(one, "b").fingerprint
    assert (sketcher.fingerprint == Sketcher(other, "a").fingerprint) == (one == other)
    assert len(sketcher.fingerprint) == 16
