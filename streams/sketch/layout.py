"""The 88 bytes of a sketch: names, offsets, what is quantised and how.

======  =====  =========================================================
offset  bytes  field
======  =====  =========================================================
0       1      version of this layout and of everything that fills it
1       1      key epoch: says which key, not what it is
2       4      markers: lexical bits, `streams.sketch.markers.MARKERS`
6       10     ratios: `RATIOS`, quantised to 0..255
16      8      system: keyed hash of the masked system prompt
24      8      head: keyed hash of at most the first 16 masked tokens
32      8      tail: keyed hash of at most the last 8 masked tokens
40      32     minhash: 16 x 16 bits over masked 4-shingles, 2 bands of 8
72      8      exact: keyed hash of the whole prompt
80      8      tools: keyed hash of the canonical tool definitions
======  =====  =========================================================

Integers are little-endian. In every hash, 0 means absent: there was nothing to hash,
or too little for it to mean anything; a hash that is present is never 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MINHASH_SLOTS",
    "RATIOS",
    "SKETCH_BYTES",
    "SKETCH_DTYPE",
    "SKETCH_VERSION",
    "count_levels",
    "share_levels",
]

SKETCH_VERSION = 1
SKETCH_BYTES = 88
MINHASH_SLOTS = 16

RATIOS = (
    "length",  # characters, `count_levels`
    "digits",  # ASCII digits among characters, `share_levels`
    "non_ascii",  # non-ASCII among characters, `share_levels`
    "punctuation",  # ASCII punctuation among characters, `share_levels`
    "upper_case",  # ASCII capitals among characters, `share_levels`
    "repetition",  # 1 - distinct tokens / tokens, `share_levels`
    "line_breaks",  # line breaks among characters, `share_levels`
    "code_symbols",  # brackets, operators, backslashes ..., `share_levels`
    "question_marks",  # question marks, `count_levels`
    "turns",  # earlier turns of the conversation, at most 255
)

SKETCH_DTYPE = np.dtype(
    [
        ("version", "u1"),
        ("key_epoch", "u1"),
        ("markers", "<u4"),
        ("ratios", "u1", (len(RATIOS),)),
        ("system", "<u8"),
        ("head", "<u8"),
        ("tail", "<u8"),
        ("minhash", "<u2", (MINHASH_SLOTS,)),
        ("exact", "<u8"),
        ("tools", "<u8"),
    ]
)

_MANTISSA_BITS = 3  # a level of `count_levels` is 9 to 12 per cent wide
_TOP = 255
_ROOTS = np.array([math.isqrt(n) for n in range(_TOP * _TOP + 1)], dtype=np.uint8)


def count_levels(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    """Put counts on a logarithmic scale of 0..255, eight levels an octave.

    Whole-number arithmetic only, so that every platform gets the same bytes; counts
    are below 2**53.

    >>> count_levels(np.array([0, 1, 2, 100, 101, 1000, 1_000_000])).tolist()
    [0, 1, 9, 53, 53, 80, 160]
    """
    whole = counts.astype(np.int64)
    exponents = np.frexp(whole)[1].astype(np.int64) - 1
    # Of no bit at all, 0, the exponent is -1.
    mantissas = whole << _MANTISSA_BITS >> np.maximum(exponents, 0)
    mantissas &= (1 << _MANTISSA_BITS) - 1
    levels = np.minimum(1 + (exponents << _MANTISSA_BITS) + mantissas, _TOP)
    return np.where(whole > 0, levels, 0)


def share_levels(
    parts: NDArray[np.integer], wholes: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Put shares on a square-root scale of 0..255: small shares differ most.

    >>> parts = np.array([0, 1, 10, 100, 250, 1000])
    >>> share_levels(parts, np.full(6, 1000)).tolist()
    [0, 8, 25, 80, 127, 255]
    """
    squares: NDArray[np.integer] = (
        _TOP * _TOP * np.minimum(parts, wholes) // np.maximum(wholes, 1)
    )
    levels: NDArray[np.uint8] = _ROOTS.take(squares)
    return levels
