"""The ten quantised ratios of many prompts at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.sketch.layout import RATIOS, count_levels, share_levels

__all__ = ["CharacterCounts", "count_characters", "ratios"]

_LOWER_AND_SPACE: Final = b"abcdefghijklmnopqrstuvwxyz \t\r"
_UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = b"0123456789"
_CODE_SYMBOLS: Final = b"[]{}()<>=_$\\/&|^~`+*#@%"


class CharacterCounts(NamedTuple):
    """How many characters of a prompt's window are of a kind."""

    every: int
    digits: int
    non_ascii: int
    punctuation: int
    upper_case: int
    line_breaks: int
    code_symbols: int
    question_marks: int


_PARTS: Final = (
    "digits", "non_ascii", "punctuation", "upper_case", "line_breaks", "code_symbols",
)  # fmt: skip
_PARTS_AT: Final = [CharacterCounts._fields.index(name) for name in _PARTS]
_QUESTION_MARKS: Final = CharacterCounts._fields.index("question_marks")
_SHARES: Final = [RATIOS.index(name) for name in _PARTS]
_COUNTS: Final = [RATIOS.index(name) for name in ("length", "question_marks")]
_REPETITION: Final = RATIOS.index("repetition")
_TURNS: Final = RATIOS.index("turns")


def count_characters(shown: str) -> CharacterCounts:
    r"""Count what the ratios are made of.

    >>> count_characters("Is f(2) é?\n")[:6]
    (11, 1, 1, 3, 1, 1)
    """
    plain = shown.encode("ascii", "ignore")
    marks = plain.translate(None, _LOWER_AND_SPACE)
    no_capitals = marks.translate(None, _UPPER)
    no_digits = no_capitals.translate(None, _DIGITS)
    breaks = no_digits.count(b"\n")
    return CharacterCounts(
        len(shown),
        len(no_capitals) - len(no_digits),
        len(shown) - len(plain),
        len(no_digits) - breaks,
        len(marks) - len(no_capitals),
        breaks,
        len(no_digits) - len(no_digits.translate(None, _CODE_SYMBOLS)),
        plain.count(b"?"),
    )


def ratios(
    counts: Sequence[CharacterCounts],
    *,
    characters: Sequence[int],
    tokens: NDArray[np.intp],
    distinct: NDArray[np.intp],
    turns: ArrayLike,
) -> NDArray[np.uint8]:
    """Give the ratios of each prompt, (n, 10), in the order of `layout.RATIOS`.

    ``characters`` are those of whole prompts, ``tokens`` those of their windows.
    """
    every = np.array(counts)
    levels = np.empty((len(counts), len(RATIOS)), dtype=np.uint8)
    levels[:, _COUNTS] = count_levels(
        np.column_stack([characters, every[:, _QUESTION_MARKS]])
    )
    levels[:, _SHARES] = share_levels(every[:, _PARTS_AT], every[:, :1])
    levels[:, _REPETITION] = share_levels(tokens - distinct, tokens)
    levels[:, _TURNS] = turns
    return levels
