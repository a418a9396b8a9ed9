"""Texts keep their rows, and are gone when they are not kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.byte_column import ByteColumn
from streams.features.text_arena import TextArena

_TEXTS = st.lists(st.text(max_size=8), max_size=8)


@given(st.lists(_TEXTS, max_size=5), st.data())
def test_texts_keep_their_rows(batches: list[list[str]], data: st.DataObject) -> None:
    arena, known = TextArena(), list[str]()
    for batch in batches:
        arena.append(ByteColumn.of(batch))
        known += batch
    assert len(arena) == len(known)
    assert arena.texts(np.arange(len(known))) == known
    assert arena.column(np.arange(len(known))).texts() == known
    kept = data.draw(st.lists(st.sampled_from(range(len(known))))) if known else []
    arena.keep(np.array(kept, np.int64))
    assert arena.texts(np.arange(len(arena))) == [known[row] for row in kept]


def test_growth_keeps_texts() -> None:
    arena = TextArena()
    texts = [f"{number:030}" for number in range(5000)]
    for start in range(0, len(texts), 700):
        arena.append(ByteColumn.of(texts[start : start + 700]))
    assert arena.texts(np.arange(len(texts))) == texts
    assert arena.text(4999) == texts[4999]
