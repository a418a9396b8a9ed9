"""Find the lexicon's phrases in many prompts at a time.

To look for each phrase in each prompt costs more than all other markers together. Here
the last two tokens of a phrase are looked for in all prompts at once, by number, and
only where they stand, a few times a prompt, is the rest of a longer one compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.sketch.markers import Phrase
from streams.sketch.token_batch import TokenBatch
from streams.sketch.vocabulary import FEWEST_OTHER, fixed_number

__all__ = ["PhraseFinder"]

_SPACES: Final = 3  # at least, in a quotation with a phrase and space around it


class PhraseFinder:
    r"""Finds phrases; line breaks between their tokens do not matter.

    >>> from streams.sketch.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary(b"0123456789abcdef0123456789abcdef")
    >>> finder = PhraseFinder([Phrase(("step", "by", "step"), 4)])
    >>> readings = [vocabulary.read("now step by\nstep"), vocabulary.read("step by")]
    >>> finder(TokenBatch(readings, vocabulary.hashes)).tolist()
    [4, 0]
    """

    __slots__ = (
        "_begins", "_bits", "_by_longest", "_ends", "_is_first", "_is_second",
        "_longer",
    )  # fmt: skip

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._by_longest: dict[str, list[Phrase]] = {}
        bits: dict[int, int] = {}  # of phrases of two tokens, by these
        longer: dict[int, list[tuple[list[int], int]]] = {}  # what goes before, and bit
        for phrase in phrases:
            longest = max(phrase.tokens, key=len)
            self._by_longest.setdefault(longest, []).append(phrase)
            *before, first, second = map(fixed_number, phrase.tokens)
            pair = first * FEWEST_OTHER + second
            bits.setdefault(pair, 0)
            if before:
                longer.setdefault(pair, []).append((before, phrase.bit))
            else:
                bits[pair] |= phrase.bit
        self._ends = np.array(sorted(bits), dtype=np.int64)
        self._bits = np.array([bits[pair] for pair in sorted(bits)], dtype=np.uint32)
        self._longer = {
            at: longer[pair] for at, pair in enumerate(sorted(bits)) if pair in longer
        }
        self._begins = np.zeros(len(bits), dtype=np.bool_)
        self._begins[list(self._longer)] = True
        # All other numbers share the last entry of these two.
        self._is_first = np.zeros(FEWEST_OTHER + 1, dtype=np.bool_)
        self._is_second = self._is_first.copy()
        self._is_first[self._ends // FEWEST_OTHER] = True
        self._is_second[self._ends % FEWEST_OTHER] = True

    def __call__(self, batch: TokenBatch) -> NDArray[np.uint32]:
        """Give the marker bits of each prompt."""
        bits = np.zeros(len(batch.counts), dtype=np.uint32)
        places, pairs = self._pairs(batch.numbers)
        owners = np.searchsorted(batch.bounds, places, side="right") - 1
        within = batch.bounds[owners + 1] > places + 1
        places, pairs, owners = places[within], pairs[within], owners[within]
        np.bitwise_or.at(bits, owners, self._bits[pairs])
        begins = self._begins[pairs]
        for place, pair, owner in zip(
            places[begins].tolist(),
            pairs[begins].tolist(),
            owners[begins].tolist(),
            strict=True,
        ):
            start = int(batch.bounds[owner])
            for before, bit in self._longer[pair]:
                begin = place - len(before)
                if begin >= start and before == batch.numbers[begin:place].tolist():
                    bits[owner] |= bit
        for prompt, every in enumerate(batch.quoted):
            quoted = [each for each in every if each.count(" ") >= _SPACES]
            if quoted:
                begin, end = batch.bounds[prompt : prompt + 2].tolist()
                bits[prompt] |= self._within(quoted, batch.numbers[begin:end])
        return bits

    def _pairs(
        self, numbers: NDArray[np.int32]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Find where the last two tokens of phrases stand, and which they are."""
        fixed = np.minimum(numbers, FEWEST_OTHER)
        maybe = self._is_first[fixed[:-1]] & self._is_second[fixed[1:]]
        places = np.flatnonzero(maybe)
        found = numbers[places].astype(np.int64) * FEWEST_OTHER + numbers[places + 1]
        pairs = np.searchsorted(self._ends, found)
        np.minimum(pairs, len(self._ends) - 1, out=pairs)
        same = self._ends[pairs] == found
        return places[same], pairs[same]

    def _within(self, quoted: Sequence[str], numbers: NDArray[np.int32]) -> int:
        """Find phrases within quotations whose words stand outside of them, too."""
        joined = "\n".join(["", *quoted])
        bits = 0
        for word in self._by_longest.keys() & frozenset(joined.split(" ")):
            for phrase in self._by_longest[word]:
                if f" {' '.join(phrase.tokens)} " in joined and all(
                    fixed_number(token) in numbers for token in phrase.tokens
                ):
                    bits |= phrase.bit
        return bits
