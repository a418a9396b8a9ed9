"""`Sketcher`: prompts in, sketches out, under one key."""

from __future__ import annotations

import collections
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.sketch.keyed import (
    SHINGLE_TOKENS,
    FieldHash,
    MinHasher,
    key_epoch,
    key_fingerprint,
    usable_key,
)
from streams.sketch.layout import (
    MINHASH_SLOTS,
    SKETCH_BYTES,
    SKETCH_DTYPE,
    SKETCH_VERSION,
)
from streams.sketch.markers import (
    PHRASES,
    layout_bits,
    repeated_shot_bit,
    size_and_language_bits,
)
from streams.sketch.phrases import PhraseFinder
from streams.sketch.ratios import CharacterCounts, count_characters, ratios
from streams.sketch.record import Sketch
from streams.sketch.text import window
from streams.sketch.token_batch import Edge, TokenBatch
from streams.sketch.tools import ToolDefinitions, canonical_tools
from streams.sketch.vocabulary import NUMBER_BYTES, TokenNumbers, Vocabulary

__all__ = ["Sketcher", "Turns"]

Turns = Sequence[Any] | None

# Fewer masked tokens than this are no template: "how are you" is everybody's.
FEWEST_HEAD_TOKENS = 6
FEWEST_TAIL_TOKENS = 4
FEWEST_SHINGLES = 4
_HEAD = Edge(FEWEST_HEAD_TOKENS, 16)
_TAIL = Edge(FEWEST_TAIL_TOKENS, 8)

_BATCH_TOKENS = 8_192  # 16 slots of 4 bytes: the minhash works within the L2 cache
_BATCH_PROMPTS = 1_024
_CACHED_SYSTEMS = 1_024
_MOST_IDLE = 4  # vocabularies kept for threads to come
_MOST_TURNS = 255
_FIND_PHRASES = PhraseFinder(PHRASES)


class _Reading(NamedTuple):
    """What the pass over one prompt found; the rest is found for many at a time."""

    folded: str
    characters: int
    turns: int
    tokens: TokenNumbers
    counts: CharacterCounts
    markers: int
    exact: int
    system: int
    tools: int


class _Columns(NamedTuple):
    """Readings of many prompts, column by column."""

    folded: list[str]
    characters: list[int]
    turns: list[int]
    tokens: list[TokenNumbers]
    counts: list[CharacterCounts]
    markers: list[int]
    exact: list[int]
    system: list[int]
    tools: list[int]


class Sketcher:
    """Makes the sketches of one key.

    ``key`` is secret: 32 random bytes, the same in all gateways; ``key_id`` names it
    and is not secret. The sketch is a function of key, key id and prompt alone: the
    same in every process, on every platform, in every release with the same
    ``SKETCH_VERSION``. Threads may share a sketcher. ``fingerprint`` names the key
    without revealing it: two sketchers with the same one make equal sketches.

    >>> sketcher = Sketcher(b"0123456789abcdef0123456789abcdef", "2025-07")
    >>> first = sketcher.sketch("Solve 2 + 3 = x for x. Let's think step by step.")
    >>> other = sketcher.sketch("Solve 7 + 1 = x for x. Let's think step by step.")
    >>> first.head == other.head, first.exact == other.exact, len(bytes(first))
    (True, False, 88)
    >>> sorted(first.markers)
    ['math_words', 'step_by_step']
    """

    __slots__ = (
        "_epoch", "_exact", "_head", "_idle", "_key", "_minhash", "_system",
        "_systems", "_tail", "_tools", "fingerprint",
    )  # fmt: skip

    def __init__(self, key: bytes, key_id: str) -> None:
        self._key = usable_key(key)
        self._epoch = key_epoch(key_id)
        self.fingerprint = key_fingerprint(self._key)
        self._exact = FieldHash(self._key, "exact")
        self._head = FieldHash(self._key, "head")
        self._tail = FieldHash(self._key, "tail")
        self._system = FieldHash(self._key, "system")
        self._tools = FieldHash(self._key, "tools")
        self._minhash = MinHasher(self._key)
        self._systems: dict[bytes, int] = {}
        self._idle = collections.deque([Vocabulary(self._key)], maxlen=_MOST_IDLE)

    def __repr__(self) -> str:
        return f"<Sketcher key {self._epoch:02x}>"

    def sketch(
        self,
        prompt: str,
        *,
        system: str | None = None,
        tools: ToolDefinitions = None,
        turns: Turns = None,
    ) -> Sketch:
        """Sketch one prompt: the newest user message, whatever its length or script.

        ``tools`` are definitions (dicts or texts) or one text; ``turns`` the earlier
        turns of the conversation, of which only the count is kept.
        """
        return self.sketch_many(
            [prompt], systems=[system], tools=[tools], turns=[turns]
        )[0]

    def sketch_many(
        self,
        prompts: Sequence[str],
        *,
        systems: Sequence[str | None] | None = None,
        tools: Sequence[ToolDefinitions] | None = None,
        turns: Sequence[Turns] | None = None,
    ) -> list[Sketch]:
        """Sketch many prompts: the same as `sketch` of each, faster.

        The other arguments are absent or as long as ``prompts`` (else `ValueError`).
        """
        nones = [None] * len(prompts)
        contexts = zip(
            nones if systems is None else systems,
            nones if tools is None else tools,
            nones if turns is None else turns,
            strict=True,
        )
        sketches: list[Sketch] = []
        readings: list[_Reading] = []
        pending = 0
        with self._vocabulary() as vocabulary:
            for prompt, (system, tool, turn) in zip(prompts, contexts, strict=True):
                if vocabulary.full:
                    sketches += self._pack(readings, vocabulary)
                    readings, pending = [], 0
                    vocabulary.clear()
                reading = self._read(prompt, system, tool, turn, vocabulary)
                readings.append(reading)
                pending += len(reading.tokens.packed) // NUMBER_BYTES
                if pending >= _BATCH_TOKENS or len(readings) >= _BATCH_PROMPTS:
                    sketches += self._pack(readings, vocabulary)
                    readings, pending = [], 0
            sketches += self._pack(readings, vocabulary)
        return sketches

    @contextlib.contextmanager
    def _vocabulary(self) -> Iterator[Vocabulary]:
        """Lend a vocabulary to one call; another thread meanwhile gets another."""
        try:
            vocabulary = self._idle.pop()
        except IndexError:
            vocabulary = Vocabulary(self._key)
        yield vocabulary
        self._idle.append(vocabulary)  # not after an error, which may leave it halfway

    def _read(
        self,
        prompt: str,
        system: str | None,
        tools: ToolDefinitions,
        turns: Turns,
        vocabulary: Vocabulary,
    ) -> _Reading:
        view = window(prompt)
        folded = view.folded
        return _Reading(
            folded,
            len(prompt),
            min(len(turns), _MOST_TURNS) if turns else 0,
            vocabulary.read(folded),
            count_characters(view.shown),
            layout_bits(folded),
            # No zero byte is left in folded text, so it sets the two parts apart.
            self._exact(folded.encode(), b"\0", view.middle),
            self._system_hash(system, vocabulary) if system else 0,
            self._tools(canonical_tools(tools)) if tools else 0,
        )

    def _system_hash(self, system: str, vocabulary: Vocabulary) -> int:
        # Kept by digest: few systems serve many prompts, and no text is held.
        digest = hashlib.blake2b(
            system.encode("utf-8", "surrogatepass"), digest_size=16
        ).digest()
        found = self._systems.get(digest)
        if found is None:
            reading = vocabulary.read(window(system).folded)
            batch = TokenBatch([reading], vocabulary.hashes)
            found = self._system(vocabulary.hashes[batch.numbers].tobytes())
            if len(self._systems) >= _CACHED_SYSTEMS:
                self._systems.clear()
            self._systems[digest] = found
        return found

    def _pack(
        self, readings: list[_Reading], vocabulary: Vocabulary
    ) -> Iterator[Sketch]:
        if not readings:
            return
        columns = _Columns(*map(list, zip(*readings, strict=True)))
        batch = TokenBatch(columns.tokens, vocabulary.hashes)
        hashes = vocabulary.hashes[batch.numbers]
        records = np.zeros(len(readings), dtype=SKETCH_DTYPE)
        records["version"] = SKETCH_VERSION
        records["key_epoch"] = self._epoch
        records["markers"] = _markers(columns, batch)
        records["ratios"] = ratios(
            columns.counts,
            characters=columns.characters,
            tokens=batch.tokens,
            distinct=batch.distinct,
            turns=columns.turns,
        )
        records["system"] = columns.system
        records["tools"] = columns.tools
        records["exact"] = columns.exact
        self._hash_edges(batch, hashes, records)
        records["minhash"] = self._minhashes(batch, hashes)
        data = records.tobytes()
        for start in range(0, len(data), SKETCH_BYTES):
            yield Sketch(data[start : start + SKETCH_BYTES])

    def _hash_edges(
        self, batch: TokenBatch, hashes: NDArray[np.uint64], records: NDArray[np.void]
    ) -> None:
        heads, tails = records["head"], records["tail"]
        enough = np.flatnonzero(batch.counts >= FEWEST_HEAD_TOKENS).tolist()
        first, last = batch.heads(_HEAD), batch.tails(_TAIL)
        for prompt in enough:
            begin, end = first[prompt]
            heads[prompt] = self._head(hashes[begin:end].tobytes())
            begin, end = last[prompt]
            # The last token goes first.
            tails[prompt] = self._tail(hashes[begin:end][::-1].tobytes())

    def _minhashes(
        self, batch: TokenBatch, hashes: NDArray[np.uint64]
    ) -> NDArray[np.uint16]:
        found = np.zeros((len(batch.counts), MINHASH_SLOTS), dtype=np.uint16)
        enough = batch.counts >= FEWEST_SHINGLES + SHINGLE_TOKENS - 1
        if enough.any():
            bounds = np.stack([batch.bounds[:-1], batch.bounds[1:]], axis=1)
            found[enough] = self._minhash(hashes, bounds[enough].ravel())
        return found


def _markers(columns: _Columns, batch: TokenBatch) -> NDArray[np.uint32]:
    bits = batch.word_bits | _FIND_PHRASES(batch)
    bits |= np.array(columns.markers, dtype=np.uint32)
    bits |= np.array(
        list(
            map(
                size_and_language_bits,
                columns.characters,
                map(len, columns.folded),
                (count.non_ascii for count in columns.counts),
                batch.foreign.tolist(),
            )
        ),
        dtype=np.uint32,
    )
    for prompt in np.flatnonzero(batch.shots).tolist():
        words = int(batch.shots[prompt])
        bits[prompt] |= repeated_shot_bit(columns.folded[prompt], words)
    return bits
