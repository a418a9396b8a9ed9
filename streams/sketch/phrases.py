"""Find the lexicon's phrases in many prompts at a time.

To look for each phrase in each prompt costs more than all other markers together. The
minhash needs the keyed hashes of all tokens of a batch anyway; here those of neighbours
are mixed, and one look into a small table tells where the last two tokens of a phrase
may stand. Only there, a few times a prompt, are tokens compared: the key decides
nothing, and a collision costs time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.sketch.text import LINE_BREAK

__all__ = ["Phrase", "PhraseFinder", "TokenBatch"]

# Odd, of SplitMix64 (Steele, Lea, Flood 2014); the hashes that it mixes are keyed.
_MIX: Final = np.uint64(0xBF58476D1CE4E5B9)
_TABLE_BITS: Final = 16  # a thousand phrases take less than a fiftieth of the table
_SHIFT: Final = np.uint64(64 - _TABLE_BITS)
_A_QUOTATION: Final = '"x"'  # all quotations are masked alike, so all have its hash


class Phrase(NamedTuple):
    """At least two tokens in a row that set a marker bit."""

    tokens: tuple[str, ...]
    bit: int


class TokenBatch:
    """Tokens of many prompts, and their hashes in one array without line breaks.

    ``hashes[bounds[i]:bounds[i + 1]]`` are those of prompt i.
    """

    __slots__ = ("_kept", "_starts", "bounds", "hashes", "tokens")

    def __init__(
        self, tokens: Sequence[Sequence[str]], hashes: Iterable[bytes]
    ) -> None:
        """Take tokens and joined hashes of each prompt; 0 stands for a line break."""
        self.tokens = tokens
        every = np.frombuffer(b"".join(hashes), dtype="<u8").astype(np.uint64)
        self._starts = np.cumsum([0, *map(len, tokens)])
        self._kept = np.flatnonzero(every)
        self.hashes: NDArray[np.uint64] = every[self._kept]
        self.bounds: NDArray[np.intp] = np.searchsorted(self._kept, self._starts)

    def prompts(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """Tell whose the hashes at these places are."""
        owners: NDArray[np.intp] = np.searchsorted(self.bounds, places, side="right")
        return owners - 1

    def positions(
        self, places: NDArray[np.intp], prompts: NDArray[np.intp]
    ) -> list[int]:
        """Tell where the tokens of these hashes stand in the lists of their prompts."""
        found: list[int] = (self._kept[places] - self._starts[prompts]).tolist()
        return found


class PhraseFinder:
    r"""Finds phrases by the hashes that ``token_hash`` gives.

    >>> def token_hash(token):
    ...     return token.encode().strip().ljust(8, b"\0")
    >>> finder = PhraseFinder([Phrase(("step", "by", "step"), 4)], token_hash)
    >>> tokens = ["step", "by", "\n", "step"]
    >>> finder(TokenBatch([tokens], [b"".join(map(token_hash, tokens))]))
    [4]
    """

    __slots__ = ("_by_end", "_by_longest", "_maybe", "_quotation")

    def __init__(
        self, phrases: Iterable[Phrase], token_hash: Callable[[str], bytes]
    ) -> None:
        self._by_end: dict[tuple[str, ...], list[Phrase]] = {}
        self._by_longest: dict[str, list[Phrase]] = {}
        for phrase in phrases:
            self._by_end.setdefault(phrase.tokens[-2:], []).append(phrase)
            longest = max(phrase.tokens, key=len)
            self._by_longest.setdefault(longest, []).append(phrase)
        ends = b"".join(token_hash(token) for end in self._by_end for token in end)
        hashes = np.frombuffer(ends, dtype="<u8").reshape(-1, 2)
        self._maybe = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        self._maybe[_mixed(hashes[:, 0], hashes[:, 1])] = True
        self._quotation = int.from_bytes(token_hash(_A_QUOTATION), "little")

    def __call__(self, batch: TokenBatch) -> list[int]:
        """Give the bits of each prompt; line breaks between tokens do not matter."""
        bits = [0] * len(batch.tokens)
        for prompt, left, right in self._ends(batch):
            tokens = batch.tokens[prompt]
            for phrase in self._by_end.get((tokens[left], tokens[right]), ()):
                if _precede(phrase.tokens[:-2], tokens, left):
                    bits[prompt] |= phrase.bit
        for prompt, quoted in self._quotations(batch).items():
            bits[prompt] |= self._within(quoted, batch.tokens[prompt])
        return bits

    def _ends(self, batch: TokenBatch) -> Iterable[tuple[int, int, int]]:
        """Find where a phrase may end: prompt, and positions of its last two tokens."""
        mixed = _mixed(batch.hashes[:-1], batch.hashes[1:])
        places = np.flatnonzero(self._maybe[mixed])
        prompts = batch.prompts(places)
        same = prompts == batch.prompts(places + 1)
        places, prompts = places[same], prompts[same]
        return zip(
            prompts.tolist(),
            batch.positions(places, prompts),
            batch.positions(places + 1, prompts),
            strict=True,
        )

    def _quotations(self, batch: TokenBatch) -> dict[int, str]:
        """Join the quotations of each prompt, one a line."""
        places = np.flatnonzero(batch.hashes == np.uint64(self._quotation))
        found: dict[int, str] = {}
        if not len(places):
            return found
        prompts = batch.prompts(places)
        positions = batch.positions(places, prompts)
        for prompt, position in zip(prompts.tolist(), positions, strict=True):
            quoted = batch.tokens[prompt][position]
            found[prompt] = f"{found.get(prompt, '')}\n{quoted}"
        return found

    def _within(self, quoted: str, tokens: Sequence[str]) -> int:
        """Find phrases within quotations whose words stand outside of them, too."""
        bits = 0
        for word in self._by_longest.keys() & frozenset(quoted.split(" ")):
            for phrase in self._by_longest[word]:
                if f" {' '.join(phrase.tokens)} " in quoted and all(
                    token in tokens for token in phrase.tokens
                ):
                    bits |= phrase.bit
        return bits


def _mixed(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed: NDArray[np.uint64] = (left * _MIX + right) * _MIX >> _SHIFT
    return mixed


def _precede(wanted: Sequence[str], tokens: Sequence[str], position: int) -> bool:
    """Tell whether the wanted tokens stand before a position."""
    for token in reversed(wanted):
        position -= 1
        while position >= 0 and tokens[position] == LINE_BREAK:
            position -= 1
        if position < 0 or tokens[position] != token:
            return False
    return True
