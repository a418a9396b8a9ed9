"""Prompts as vectors: the sketch's marker bytes, and hashed n-grams as an embedding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.corpora import Corpora, Prompt
from streams.scenarios.prompt_table import SIMULATION_KEY, SIMULATION_KEY_ID
from streams.sketch import Sketcher
from streams.sketch.columns import sketch_columns

__all__ = ["PromptPool", "Vectors", "marker_vectors", "ngram_vectors", "prompt_pool"]

Floats = NDArray[np.float32]
Vectors = Floats
"""One row a prompt."""
NGRAM_DIMENSIONS: Final = 512
_NGRAM_CHARS: Final = 1000
"""Characters that are embedded: the head of a prompt, as embedding models cut it."""
_TRIGRAM: Final = 3
_BITS: Final = 32
_BYTE: Final = 255.0
_SIGN: Final = 1 << 31


class PromptPool(NamedTuple):
    """Prompts of all corpora; ``corpus`` gives each row's number in ``names``.

    ``hostile`` says which corpora were published as what a campaign sent.
    ``heads`` and ``tails`` are the sketch's template hashes, ``bits`` and ``ratios``
    its marker bytes as they are; ``markers`` are the same as numbers from 0 to 1.
    ``distinct`` gives the first row with the same prompt, by the sketch's exact hash.
    """

    names: tuple[str, ...]
    hostile: NDArray[np.bool_]
    corpus: NDArray[np.int64]
    markers: Floats
    ngrams: Floats
    heads: NDArray[np.uint64]
    tails: NDArray[np.uint64]
    bits: NDArray[np.uint32]
    ratios: NDArray[np.uint8]
    distinct: NDArray[np.int64]

    def rows(self, *, hostile: bool) -> NDArray[np.int64]:
        """Give the rows of all benign, or of all hostile corpora."""
        return np.flatnonzero(self.hostile[self.corpus] == hostile)


def prompt_pool(
    corpora: Corpora,
    *,
    most: int,
    seed: int,
    most_benign: int | None = None,
    roles: Sequence[str] = ("legit-", "campaign-"),
) -> PromptPool:
    """Draw at most ``most`` prompts of each corpus, and make their vectors.

    The two ``roles`` are of benign and of hostile corpora; of each benign corpus there
    are ``most_benign`` where that is given.
    """
    names: list[str] = []
    hostile: list[bool] = []
    prompts: list[Prompt] = []
    corpus: list[int] = []
    for side, role in enumerate(roles):
        for number, (name, found) in enumerate(corpora.named_sets((role,))):
            chance = Random(f"{seed} {role} {number}")  # noqa: S311 must repeat
            limit = most if side or most_benign is None else most_benign
            drawn = chance.sample(found, min(limit, len(found)))
            corpus += [len(names)] * len(drawn)
            names.append(name)
            hostile.append(bool(side))
            prompts += drawn
    sketcher = Sketcher(SIMULATION_KEY, SIMULATION_KEY_ID)
    sketches = sketcher.sketch_many(
        [prompt.text for prompt in prompts],
        systems=[prompt.system for prompt in prompts],
    )
    joined = b"".join(map(bytes, sketches))
    matrix = np.frombuffer(joined, dtype=np.uint8).reshape(len(prompts), -1)
    columns = sketch_columns(matrix)
    _, first, same = np.unique(columns.exact, return_index=True, return_inverse=True)
    return PromptPool(
        tuple(names),
        np.array(hostile),
        np.array(corpus, dtype=np.int64),
        marker_vectors(matrix),
        ngram_vectors([prompt.text for prompt in prompts]),
        columns.head.copy(),
        columns.tail.copy(),
        columns.markers.copy(),
        columns.ratios.copy(),
        first[same],
    )


def marker_vectors(matrix: NDArray[np.uint8]) -> Floats:
    """Unpack the 14 marker bytes of sketches (n, 88): 32 bits and 10 ratios, 0 to 1."""
    columns = sketch_columns(matrix)
    bits = (columns.markers[:, None] >> np.arange(_BITS, dtype=np.uint32)) & 1
    return np.hstack([bits, columns.ratios / _BYTE]).astype(np.float32)


def ngram_vectors(texts: Sequence[str]) -> Floats:
    """Embed texts by signed feature hashing of words, word pairs and trigrams.

    Counts are taken by their square root, rows have length 1 (Weinberger et al. 2009;
    stands in for the sentence embeddings of arXiv 2606.05725, which need a model).

    >>> vectors = ngram_vectors(["sum up the rain", "sum up the snow", "Où est-il?"])
    >>> float(vectors[0] @ vectors[1]) > float(vectors[0] @ vectors[2])
    True
    """
    made = np.zeros((len(texts), NGRAM_DIMENSIONS), dtype=np.float32)
    for row, text in zip(made, texts, strict=True):
        for gram in _grams(text[:_NGRAM_CHARS].lower()):
            hashed = crc32(gram.encode())
            row[hashed % NGRAM_DIMENSIONS] += 1.0 if hashed & _SIGN else -1.0
    made = np.sign(made) * np.sqrt(np.abs(made))
    length = np.linalg.norm(made, axis=1, keepdims=True)
    return np.asarray(made / np.maximum(length, 1e-9), dtype=np.float32)


def _grams(text: str) -> Iterator[str]:
    words = text.split()
    yield from words
    for first, second in pairwise(words):
        yield f"{first} {second}"
    for at in range(len(text) - _TRIGRAM + 1):
        yield text[at : at + _TRIGRAM]
