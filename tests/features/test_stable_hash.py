"""Stable hashes are those of hashlib, however they are worked out."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts.byte_column import ByteColumn
from streams.contracts.compiled import loops, plain_numpy
from streams.features.stable_hash import stable_hash, stable_hashes

_TEXTS = st.lists(st.none() | st.text(max_size=300), max_size=6)


@given(_TEXTS, st.sampled_from(["", "network:", "x" * 200]))
@example(
    ["x" * size for size in (0, 1, 119, 120, 121, 127, 128, 129, 256, 257)], "a" * 8
)
def test_columns_are_hashed_as_texts_are(texts: list[str | None], prefix: str) -> None:
    column = ByteColumn.of(["before", *texts]).select(slice(1, None))
    expected = [stable_hash(prefix + (text or "")) for text in texts]
    assert loops()
    assert stable_hashes(column, prefix=prefix.encode()).tolist() == expected
    with plain_numpy():
        assert stable_hashes(column, prefix=prefix.encode()).tolist() == expected
