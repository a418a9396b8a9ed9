"""The directory of facets: numbers, counts, growth, restoration."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.byte_column import ByteColumn
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.facet_directory import FacetDirectory, facet_hash

_KINDS = len(INFRASTRUCTURE_KINDS)
_NAMES = st.lists(st.none() | st.sampled_from(["", "a", "b", "é"]), max_size=12)
_BATCHES = st.lists(st.tuples(st.integers(0, _KINDS - 1), _NAMES), max_size=6)


@given(_BATCHES)
def test_a_facet_keeps_its_number(batches: list[tuple[int, list[str | None]]]) -> None:
    directory = FacetDirectory()
    for kind, names in batches:
        numbers = directory.numbers(kind, names).tolist()
        for name, number in zip(names, numbers, strict=True):
            if name is None:
                assert number == -1
                continue
            assert directory.names[number] == name
            assert directory.kinds[number] == kind
            known = facet_hash(INFRASTRUCTURE_KINDS[kind], name)
            assert int(directory.hashes[number]) == known
    facets = {(kind, name) for kind, names in batches for name in names} - {
        (kind, None) for kind in range(_KINDS)
    }
    assert len(directory) == len(facets)


def test_the_hash_is_the_same_in_every_process() -> None:
    assert facet_hash("network", "n1") == 10_701_157_992_965_587_024


@given(_BATCHES)
@settings(max_examples=50)
def test_dirty_rows_restore_the_counts(
    batches: list[tuple[int, list[str | None]]],
) -> None:
    directory, copy = FacetDirectory(), FacetDirectory()
    log = []
    for at, (kind, names) in enumerate(batches):
        numbers = directory.numbers(kind, names)
        distinct = np.unique(numbers[numbers >= 0])
        directory.counts["accounts"][distinct] += at + 1
        if at % 2:
            directory.counts["sent"][distinct] = at
        directory.touch(distinct)
        log += _dirty(directory)
        assert _dirty(directory) == []
    _restore(copy, log)
    assert _counts(copy) == _counts(directory)
    assert _dirty(copy) == []


@given(_BATCHES, st.data())
def test_forgotten_facets_start_afresh(
    batches: list[tuple[int, list[str | None]]], data: st.DataObject
) -> None:
    directory = FacetDirectory()
    for kind, names in batches:
        numbers = directory.numbers(kind, names)
        directory.counts["accounts"][numbers[numbers >= 0]] = 9
    everything = np.arange(len(directory))
    directory.touch(everything)
    log = _dirty(directory)
    known = list(_counts(directory))
    gone = data.draw(st.sets(st.sampled_from(known))) if known else set()
    cleared = data.draw(st.sets(st.sampled_from(known))) - gone if known else set()
    place = {facet: at for at, facet in enumerate(known)}
    directory.clear(np.array([place[facet] for facet in cleared], np.int64))
    moved = directory.forget(np.array([place[facet] for facet in gone], np.int64))
    for facet, at in place.items():
        kind, name = facet
        assert (moved[at] < 0) == (facet in gone)
        if moved[at] >= 0:
            assert directory.numbers(kind, [name]).tolist() == [moved[at]]
            known_hash = facet_hash(INFRASTRUCTURE_KINDS[kind], name)
            assert int(directory.hashes[moved[at]]) == known_hash
    tombstones = _dirty(directory)
    assert {(kind, name) for kind, name, _ in tombstones} == gone | cleared
    assert all(packed is None for _, _, packed in tombstones)
    copy = FacetDirectory()
    _restore(copy, log)
    _restore(copy, tombstones)
    left = {facet: row for facet, row in _counts(directory).items() if row.strip(b"\0")}
    assert _counts(copy) == left


def _dirty(directory: FacetDirectory) -> list[tuple[int, str, bytes | None]]:
    keys, rows = directory.take_dirty()
    return [
        (key[0], key[1:].decode(), row) for key, row in zip(keys, rows, strict=True)
    ]


def _restore(
    directory: FacetDirectory, changes: list[tuple[int, str, bytes | None]]
) -> None:
    for kind in range(_KINDS):
        of_kind = [(name, packed) for k, name, packed in changes if k == kind]
        names = ByteColumn.of(name for name, _ in of_kind)
        directory.restore(kind, names, ByteColumn.of(packed for _, packed in of_kind))


def _counts(directory: FacetDirectory) -> dict[tuple[int, str], bytes]:
    return {
        (int(directory.kinds[at]), name): directory.counts[at].tobytes()
        for at, name in enumerate(directory.names)
    }


def test_growth_keeps_what_was_known() -> None:
    directory = FacetDirectory()
    first = len(directory.kinds)
    names = [f"n{number}" for number in range(3 * first)]
    numbers = directory.numbers(2, names)
    directory.counts["accounts"][numbers] = np.arange(len(names))
    directory.touch(numbers)
    assert directory.numbers(2, names).tolist() == numbers.tolist()
    assert directory.counts["accounts"][: len(names)].tolist() == list(
        range(len(names))
    )
    assert len(_dirty(directory)) == len(names)
