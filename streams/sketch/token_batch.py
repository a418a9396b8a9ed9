"""What the tokens of many prompts tell together, as numpy columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.sketch.lexicon import FOREIGN_WORDS
from streams.sketch.markers import SHOT_WORDS, WORD_BITS
from streams.sketch.text import MOST_FIRST_TOKENS, MOST_LAST_TOKENS, SENTENCE_ENDS
from streams.sketch.vocabulary import (
    BREAK,
    FEWEST_OTHER,
    NEW_LINE,
    NUMBER_BYTES,
    PLACEHOLDER_NUMBERS,
    TokenNumbers,
    fixed_number,
)

__all__ = ["Edge", "TokenBatch"]

_SENTINEL: Final = b"\0" * NUMBER_BYTES
_MOST_TOKENS: Final = MOST_FIRST_TOKENS + MOST_LAST_TOKENS
_OWNER: Final = 32  # bits of a number below those of the prompt that has it
_NUMBER: Final = (1 << _OWNER) - 1


def _by_number(values: Mapping[str, int]) -> NDArray[np.uint32]:
    """Make a table; its last entry is for all numbers that are not fixed."""
    table = np.zeros(FEWEST_OTHER + 1, dtype=np.uint32)
    for token, value in values.items():
        table[fixed_number(token)] = value
    return table


_WORD_BITS: Final = _by_number(WORD_BITS)
_FOREIGN: Final = _by_number(dict.fromkeys(FOREIGN_WORDS, 1))
_SHOTS: Final = _by_number(SHOT_WORDS)
_ENDS: Final = _by_number(dict.fromkeys(SENTENCE_ENDS, 1)) > 0
_COUNTED: Final = np.ones(FEWEST_OTHER + 1, dtype="<i4")
_COUNTED[[NEW_LINE, *PLACEHOLDER_NUMBERS]] = 0


class Edge:
    """How many tokens from one end of a prompt make a field: to a sentence's end.

    A template's own sentence ("Solve the problem below:" before a filling, or "Think
    step by step." after one) then keeps its hash although it is shorter than ``most``.
    A sentence ends the field only where it has ``fewest`` tokens already.
    """

    __slots__ = ("_fewest", "_steps")

    def __init__(self, fewest: int, most: int) -> None:
        self._fewest = fewest
        self._steps = np.arange(fewest, most + 1)

    def sizes(
        self, first: NDArray[np.intp], step: int, counts: NDArray[np.intp],
        ends: NDArray[np.bool_],
    ) -> NDArray[np.intp]:  # fmt: skip
        """Count the tokens of each prompt's field.

        The field begins at ``first`` and goes on by ``step``, 1 or -1; ``counts`` are
        the tokens there are, and ``ends`` tells of each token whether the field, if
        long enough, ends before it.
        """
        stops = ends.take(first[:, None] + step * self._steps, mode="clip")
        stops[:, -1] = True
        sizes: NDArray[np.intp] = np.minimum(
            stops.argmax(axis=1) + self._fewest, counts
        )
        return sizes


class TokenBatch:
    """Tokens of at least one prompt, by number.

    ``numbers[bounds[i]:bounds[i + 1]]`` are those of prompt i without line breaks;
    ``tokens`` counts them with line breaks, and ``distinct`` how many of these are
    different. ``word_bits`` are the marker bits of single words, ``foreign`` counts the
    different words of other European languages, and ``shots`` has the bits of
    `streams.sketch.markers.SHOT_WORDS`.
    """

    __slots__ = (
        "_head_ends", "_tail_ends", "bounds", "counts", "distinct", "foreign",
        "numbers", "quoted", "shots", "tokens", "word_bits",
    )  # fmt: skip

    def __init__(
        self, readings: Sequence[TokenNumbers], hashes: NDArray[np.uint64]
    ) -> None:
        """Take the tokens, and ``hashes`` by number of their vocabulary."""
        long = [reading.long for reading in readings]
        self.quoted = [reading.quoted for reading in readings]
        numbers, starts = _settle([reading.packed for reading in readings])
        self.tokens = np.diff(starts)
        if (self.tokens > _MOST_TOKENS).any():
            is_quoted = hashes == hashes[PLACEHOLDER_NUMBERS[-1]]
            numbers, starts = self._cut(numbers, starts, long, is_quoted)
        self._look_up(numbers, long)
        self._leave_out_breaks(numbers, starts)

    def _cut(
        self,
        numbers: NDArray[np.int32],
        starts: NDArray[np.intp],
        long: list[list[str]],
        is_quoted: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Take out what lies between the windows of long prompts."""
        kept = np.ones(len(numbers), dtype=np.bool_)
        for prompt in np.flatnonzero(self.tokens > _MOST_TOKENS).tolist():
            begin, end = starts[prompt : prompt + 2].tolist()
            inside = kept[begin:end]
            inside[MOST_FIRST_TOKENS:-MOST_LAST_TOKENS] = False
            of_it = numbers[begin:end]
            is_long = np.isin(of_it, PLACEHOLDER_NUMBERS)
            long[prompt] = _chosen(long[prompt], inside[is_long])
            self.quoted[prompt] = _chosen(self.quoted[prompt], inside[is_quoted[of_it]])
        np.minimum(self.tokens, _MOST_TOKENS, out=self.tokens)
        return numbers[kept], np.concatenate([[0], np.cumsum(self.tokens)])

    def _look_up(self, numbers: NDArray[np.int32], long: list[list[str]]) -> None:
        prompts = np.arange(len(self.tokens)) << _OWNER
        # One entry of no token for each prompt: no part of the sum is empty then.
        every = np.concatenate([np.repeat(prompts, self.tokens) | numbers, prompts])
        every.sort()
        new = np.empty(len(every), dtype=np.bool_)
        new[0] = True
        np.not_equal(every[1:], every[:-1], out=new[1:])
        different = every[new]
        starts = np.searchsorted(different, prompts)
        different &= _NUMBER
        fixed = np.minimum(different, FEWEST_OTHER)
        self.distinct = np.add.reduceat(_COUNTED[fixed], starts)
        self.distinct += [len(set(each)) for each in long]
        self.word_bits = np.bitwise_or.reduceat(_WORD_BITS[fixed], starts)
        self.foreign = np.add.reduceat(_FOREIGN[fixed], starts)
        self.shots = np.bitwise_or.reduceat(_SHOTS[fixed], starts)

    def _leave_out_breaks(
        self, numbers: NDArray[np.int32], starts: NDArray[np.intp]
    ) -> None:
        is_break = np.empty(len(numbers) + 1, dtype=np.bool_)
        np.equal(numbers, BREAK, out=is_break[:-1])
        is_break[-1] = False
        places = np.flatnonzero(~is_break[:-1])
        self.numbers = numbers[places]
        self.bounds: NDArray[np.intp] = np.searchsorted(places, starts)
        self.counts: NDArray[np.intp] = np.diff(self.bounds)
        ends = _ENDS[np.minimum(self.numbers, FEWEST_OTHER)]
        self._head_ends: NDArray[np.bool_] = ends | is_break[places - 1]
        self._tail_ends: NDArray[np.bool_] = ends | is_break[places + 1]

    def heads(self, edge: Edge) -> list[tuple[int, int]]:
        """Give begin and end of the first tokens of each prompt."""
        first = self.bounds[:-1]
        ends = first
        if len(self.numbers):
            ends = first + edge.sizes(first, 1, self.counts, self._head_ends)
        return list(zip(first.tolist(), ends.tolist(), strict=True))

    def tails(self, edge: Edge) -> list[tuple[int, int]]:
        """Give begin and end of the last tokens of each prompt."""
        last = self.bounds[1:]
        begins = last
        if len(self.numbers):
            begins = last - edge.sizes(last - 1, -1, self.counts, self._tail_ends)
        return list(zip(begins.tolist(), last.tolist(), strict=True))


def _settle(
    packed: Sequence[bytes],
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Make new lines into line breaks or nothing; give numbers and starts of prompts.

    A new line is a token if its line has one.
    """
    joined = _SENTINEL.join([*packed, b""])  # each prompt ends with an empty line
    numbers = np.frombuffer(joined, dtype="<i4").astype(np.int32)
    ends = np.cumsum([len(each) // NUMBER_BYTES + 1 for each in packed])
    is_token = numbers != NEW_LINE
    kept = is_token.copy()
    kept[:-1] |= is_token[1:]
    kept[ends - 1] = False  # what follows it is the next prompt
    starts = np.concatenate([[0], np.cumsum(kept)[ends - 1]])
    numbers = numbers[kept]
    np.maximum(numbers, BREAK, out=numbers)
    return numbers, starts


def _chosen(tokens: Sequence[str], kept: NDArray[np.bool_]) -> list[str]:
    return [token for token, keep in zip(tokens, kept.tolist(), strict=True) if keep]
