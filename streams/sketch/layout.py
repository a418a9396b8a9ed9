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

__all__ = [
    "MINHASH_SLOTS",
    "RATIOS",
    "SKETCH_BYTES",
    "SKETCH_DTYPE",
    "SKETCH_VERSION",
    "count_level",
    "share_level",
]

SKETCH_VERSION = 1
SKETCH_BYTES = 88
MINHASH_SLOTS = 16

RATIOS = (
    "length",  # characters, `count_level`
    "digits",  # ASCII digits among characters, `share_level`
    "non_ascii",  # non-ASCII among characters, `share_level`
    "punctuation",  # ASCII punctuation among characters, `share_level`
    "upper_case",  # ASCII capitals among characters, `share_level`
    "repetition",  # 1 - distinct tokens / tokens, `share_level`
    "line_breaks",  # line breaks among characters, `share_level`
    "code_symbols",  # brackets, operators, backslashes ..., `share_level`
    "question_marks",  # question marks, `count_level`
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

_MANTISSA_BITS = 3  # a level of `count_level` is 9 to 12 per cent wide
_TOP = 255


def count_level(count: int) -> int:
    """Put a count on a logarithmic scale of 0..255, eight levels an octave.

    Whole-number arithmetic only, so that every platform gets the same byte.

    >>> [count_level(n) for n in (0, 1, 2, 100, 101, 1000, 1_000_000)]
    [0, 1, 9, 53, 53, 80, 160]
    """
    if count <= 0:
        return 0
    exponent = count.bit_length() - 1
    mantissa = ((count << _MANTISSA_BITS) >> exponent) & ((1 << _MANTISSA_BITS) - 1)
    return min(_TOP, 1 + (exponent << _MANTISSA_BITS) + mantissa)


def share_level(part: int, whole: int) -> int:
    """Put a share on a square-root scale of 0..255: small shares differ most.

    >>> [share_level(k, 1000) for k in (0, 1, 10, 100, 250, 1000)]
    [0, 8, 25, 80, 127, 255]
    """
    if whole <= 0:
        return 0
    return math.isqrt(_TOP * _TOP * min(part, whole) // whole)
