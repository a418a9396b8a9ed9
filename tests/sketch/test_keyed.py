"""Keyed hashes: separate fields, minhash by plain arithmetic."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.sketch.keyed import (
    SHINGLE_TOKENS,
    FieldHash,
    MinHasher,
    _derive,
    key_epoch,
)

KEY = b"k" * 32
U64 = (1 << 64) - 1
hashes = st.lists(st.integers(1, U64), min_size=SHINGLE_TOKENS, max_size=40)


def plain_minhash(key: bytes, tokens: list[int]) -> list[int]:
    """Compute it as the module's docstring tells it, with Python's integers."""
    *positions, finish = (v | 1 for v in _derive(key, "position", SHINGLE_TOKENS + 1))
    slots = [v >> 32 for v in _derive(key, "slot", 32)]
    shingles = []
    for start in range(len(tokens) - SHINGLE_TOKENS + 1):
        mixed = (
            sum(t * p for t, p in zip(tokens[start:], positions, strict=False)) & U64
        )
        mixed = ((mixed ^ mixed >> 32) * finish) & U64
        shingles.append(mixed >> 32)
    return [
        max(1, min((s * (a | 1) + b) & 0xFFFFFFFF for s in shingles) & 0xFFFF)
        for a, b in zip(slots[:16], slots[16:], strict=True)
    ]


@given(st.lists(hashes, min_size=1, max_size=5))
def test_minhash_of_many_is_the_plain_minhash_of_each(prompts: list[list[int]]) -> None:
    flat = np.array([t for tokens in prompts for t in tokens], dtype=np.uint64)
    ends = np.cumsum([len(tokens) for tokens in prompts])
    bounds = [
        edge
        for end, tokens in zip(ends.tolist(), prompts, strict=True)
        for edge in (end - len(tokens), end)
    ]
    found = MinHasher(KEY)(flat, bounds)
    assert found.tolist() == [plain_minhash(KEY, tokens) for tokens in prompts]


@given(st.binary(max_size=100))
def test_fields_and_keys_are_separate(content: bytes) -> None:
    values = {
        FieldHash(key, field)(content)
        for key in (KEY, b"other key")
        for field in ("head", "tail", "exact")
    }
    assert len(values) == 6
    assert 0 not in values


def test_epochs_come_from_the_id() -> None:
    assert key_epoch("2025-07") == 40
    assert 0 <= key_epoch("\ud800") <= 255
