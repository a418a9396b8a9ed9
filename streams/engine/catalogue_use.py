"""How often the templates of a catalogue occur in a file of events."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from streams.contracts import decode_chunk, iter_datums
from streams.sketch.catalogue import CATALOGUED_KINDS, Catalogue
from streams.sketch.columns import sketch_columns, sketch_matrix

__all__ = ["CatalogueUse", "catalogue_use"]

_BATCH: Final = 20_000


class CatalogueUse(NamedTuple):
    """Counts of sketches; ``by_template`` by name, most first.

    ``covered`` have at least one key in the catalogue; ``strangers`` are the key bytes
    of sketches that no key of the catalogue has, with their counts.
    """

    sketched: int
    covered: int
    by_template: list[tuple[str, int]]
    strangers: list[tuple[int, int]]


def catalogue_use(catalogue: Catalogue, events: Path) -> CatalogueUse:
    """Look the templates of all events of a container up."""
    sketched = covered = 0
    by_entry, epochs = Counter[int](), Counter[int]()
    datums = iter_datums(events)
    while batch := list(islice(datums, _BATCH)):
        frame = decode_chunk("RequestEvent", batch).frame
        matrix, valid = sketch_matrix(frame["sketch"])
        columns = sketch_columns(matrix[valid])
        keys = np.stack([getattr(columns, kind) for kind in CATALOGUED_KINDS], axis=1)
        found = catalogue.index.find(keys)
        sketched += len(found)
        covered += int((found >= 0).any(axis=1).sum())
        epochs.update(columns.key_epoch.tolist())
        # Two keys of one entry in one sketch count once.
        for row in found[(found >= 0).any(axis=1)].tolist():
            by_entry.update({entry for entry in row if entry >= 0})
    known = {key.epoch for key in catalogue.keys}
    return CatalogueUse(
        sketched,
        covered,
        [(catalogue.entries[at].name, count) for at, count in by_entry.most_common()],
        sorted((epoch, count) for epoch, count in epochs.items() if epoch not in known),
    )
