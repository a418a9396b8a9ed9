"""`Sketcher`: prompts in, sketches out, under one key."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from streams.sketch.keyed import (
    NO_HASH,
    SHINGLE_TOKENS,
    FieldHash,
    MinHasher,
    TokenHashes,
    key_epoch,
    usable_key,
)
from streams.sketch.layout import (
    MINHASH_SLOTS,
    SKETCH_VERSION,
    count_level,
    share_level,
)
from streams.sketch.markers import PHRASES, marker_bits
from streams.sketch.phrases import PhraseFinder, TokenBatch
from streams.sketch.record import PACKING, Sketch
from streams.sketch.text import LINE_BREAK, Window, tokenise, window
from streams.sketch.tools import ToolDefinitions, canonical_tools

__all__ = ["Sketcher", "Turns"]

Turns = Sequence[Any] | None

HEAD_TOKENS = 16
TAIL_TOKENS = 8
# Fewer masked tokens than this are no template: "how are you" is everybody's.
FEWEST_HEAD_TOKENS = 6
FEWEST_TAIL_TOKENS = 4
FEWEST_SHINGLES = 4

_BATCH_TOKENS = 8_192  # 16 slots of 4 bytes: the minhash works within the L2 cache
_CACHED_SYSTEMS = 1_024
_MOST_TURNS = 255
# Where a template's own words part from a filling. Measured with 500 word problems in
# "{} Let's think step by step.": all share their tail, without it 3 % do; prompts of
# people who only chat share no more heads or tails than without.
_SENTENCE_ENDS = (LINE_BREAK, ".", "?", "!", ":", "...", "。", "।", "؟")
_NO_MINHASH = bytes(2 * MINHASH_SLOTS)
_LOWER_AND_SPACE = b"abcdefghijklmnopqrstuvwxyz \t\r"
_UPPER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"
_CODE_SYMBOLS = b"[]{}()<>=_$\\/&|^~`+*#@%"


class _Reading(NamedTuple):
    """What the pass over one prompt found; all but minhash and phrases."""

    markers: int
    ratios: bytes
    head: int
    tail: int
    exact: int
    tokens: list[str]
    hashes: bytes  # of the tokens, joined; zeros for a line break


class Sketcher:
    """Makes the sketches of one key.

    ``key`` is secret: 32 random bytes, the same in all gateways; ``key_id`` names it
    and is not secret. The sketch is a function of key, key id and prompt alone: the
    same in every process, on every platform, in every release with the same
    ``SKETCH_VERSION``. Threads may share a sketcher.

    >>> sketcher = Sketcher(b"0123456789abcdef0123456789abcdef", "2025-07")
    >>> first = sketcher.sketch("Solve 2 + 3 = x for x. Let's think step by step.")
    >>> other = sketcher.sketch("Solve 7 + 1 = x for x. Let's think step by step.")
    >>> first.head == other.head, first.exact == other.exact, len(bytes(first))
    (True, False, 88)
    >>> sorted(first.markers)
    ['math_words', 'step_by_step']
    """

    __slots__ = (
        "_ends", "_epoch", "_exact", "_head", "_minhash", "_phrases", "_system",
        "_systems", "_tail", "_tokens", "_tools",
    )  # fmt: skip

    def __init__(self, key: bytes, key_id: str) -> None:
        key = usable_key(key)
        self._epoch = key_epoch(key_id)
        self._exact = FieldHash(key, "exact")
        self._head = FieldHash(key, "head")
        self._tail = FieldHash(key, "tail")
        self._system = FieldHash(key, "system")
        self._tools = FieldHash(key, "tools")
        self._tokens = TokenHashes(key)
        self._minhash = MinHasher(key)
        self._phrases = PhraseFinder(PHRASES, self._tokens.__getitem__)
        self._systems: dict[bytes, int] = {}
        self._ends = frozenset(map(self._tokens.__getitem__, _SENTENCE_ENDS))

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
        outer: list[tuple[int, int]] = []
        pending = 0
        for prompt, (system, tool, turn) in zip(prompts, contexts, strict=True):
            count = min(len(turn), _MOST_TURNS) if turn else 0
            reading = self._read(prompt, count)
            readings.append(reading)
            outer.append((self._system_hash(system), self._tools_hash(tool)))
            pending += len(reading.tokens)
            if pending >= _BATCH_TOKENS:
                sketches += self._pack(readings, outer)
                readings, outer, pending = [], [], 0
        sketches += self._pack(readings, outer)
        return sketches

    def _read(self, prompt: str, turns: int) -> _Reading:
        view = window(prompt)
        tokens = tokenise(view.folded)
        distinct = frozenset(tokens)
        plain = view.shown.encode("ascii", "ignore")
        non_ascii = len(view.shown) - len(plain)
        markers = marker_bits(
            view.folded,
            distinct,
            characters=len(prompt),
            non_ascii=non_ascii,
        )
        hashes = list(map(self._tokens.__getitem__, tokens))
        head = self._edge(hashes, HEAD_TOKENS, FEWEST_HEAD_TOKENS)
        hashes.reverse()
        tail = self._edge(hashes, TAIL_TOKENS, FEWEST_TAIL_TOKENS)
        hashes.reverse()
        # No more tokens are line breaks than characters are.
        enough = (
            len(hashes) - view.folded.count(LINE_BREAK) >= FEWEST_HEAD_TOKENS
            or len(hashes) - hashes.count(NO_HASH) >= FEWEST_HEAD_TOKENS
        )
        return _Reading(
            markers,
            _ratios(
                view,
                plain,
                characters=len(prompt),
                tokens=len(tokens),
                distinct=len(distinct),
                turns=turns,
            ),
            self._head(head) if enough else 0,
            self._tail(tail) if enough else 0,
            # No zero byte is left in folded text, so it sets the two parts apart.
            self._exact(view.folded.encode(), b"\0", view.middle),
            tokens,
            b"".join(hashes),
        )

    def _edge(self, hashes: list[bytes], most: int, fewest: int) -> bytes:
        """Take tokens from the start, to a sentence's end once there are enough.

        A template's own sentence ("Solve the problem below:" before a filling, or
        "Think step by step." after one) then keeps its hash although it is shorter
        than the window. From the back, the end met is that of the sentence before.
        """
        edge: list[bytes] = []
        for value in hashes:
            if value in self._ends and len(edge) >= fewest:
                break
            if value != NO_HASH:
                edge.append(value)
                if len(edge) == most:
                    break
        return b"".join(edge)

    def _system_hash(self, system: str | None) -> int:
        if not system:
            return 0
        # Kept by digest: few systems serve many prompts, and no text is held.
        digest = hashlib.blake2b(
            system.encode("utf-8", "surrogatepass"), digest_size=16
        ).digest()
        found = self._systems.get(digest)
        if found is None:
            hashes = map(self._tokens.__getitem__, tokenise(window(system).folded))
            found = self._system(*(value for value in hashes if value != NO_HASH))
            if len(self._systems) >= _CACHED_SYSTEMS:
                self._systems.clear()
            self._systems[digest] = found
        return found

    def _tools_hash(self, tools: ToolDefinitions) -> int:
        return self._tools(canonical_tools(tools)) if tools else 0

    def _pack(
        self, readings: list[_Reading], outer: list[tuple[int, int]]
    ) -> Iterator[Sketch]:
        batch = TokenBatch(
            [reading.tokens for reading in readings],
            [reading.hashes for reading in readings],
        )
        phrases = self._phrases(batch)
        minhashes = self._minhashes(batch)
        for reading, (system, tools), found, minhash in zip(
            readings, outer, phrases, minhashes, strict=True
        ):
            yield Sketch(
                PACKING.pack(
                    SKETCH_VERSION,
                    self._epoch,
                    reading.markers | found,
                    reading.ratios,
                    system,
                    reading.head,
                    reading.tail,
                    minhash,
                    reading.exact,
                    tools,
                )
            )

    def _minhashes(self, batch: TokenBatch) -> Iterator[bytes]:
        fewest = FEWEST_SHINGLES + SHINGLE_TOKENS - 1
        stretches = [*itertools.pairwise(batch.bounds.tolist())]
        bounds = [
            bound
            for begin, end in stretches
            if end - begin >= fewest
            for bound in (begin, end)
        ]
        found = iter(())
        if bounds:
            slots = self._minhash(batch.hashes, bounds)
            found = iter(slots.astype("<u2", order="C"))
        for begin, end in stretches:
            if end - begin >= fewest:
                yield next(found).tobytes()
            else:
                yield _NO_MINHASH


def _ratios(
    view: Window,
    plain: bytes,
    *,
    characters: int,
    tokens: int,
    distinct: int,
    turns: int,
) -> bytes:
    shown = len(view.shown)
    marks = plain.translate(None, _LOWER_AND_SPACE)
    no_capitals = marks.translate(None, _UPPER)
    no_digits = no_capitals.translate(None, _DIGITS)
    breaks = no_digits.count(b"\n")
    no_code = no_digits.translate(None, _CODE_SYMBOLS)
    return bytes(
        (
            count_level(characters),
            share_level(len(no_capitals) - len(no_digits), shown),
            share_level(shown - len(plain), shown),
            share_level(len(no_digits) - breaks, shown),
            share_level(len(marks) - len(no_capitals), shown),
            share_level(tokens - distinct, tokens),
            share_level(breaks, shown),
            share_level(len(no_digits) - len(no_code), shown),
            count_level(plain.count(b"?")),
            turns,
        )
    )
