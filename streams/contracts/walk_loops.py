"""The walk of `streams.contracts.walk`, one datum after the other, as compiled loops.

They give what the walk in lockstep gives, to the bit: which datums are sure and plain,
and the marks of the sure ones. A datum that is doubtful is left at once. See
`streams.contracts.compiled`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit

__all__ = ["COLUMNS", "KINDS", "longs_loop", "walk_loop"]

KINDS: Final = (
    *("null", "boolean", "int", "long", "float", "double"),
    *("enum", "bytes", "string", "array"),
)
"""Kinds of field, by the number that a step has here."""
_NULL, _BOOLEAN, _INT, _LONG, _FLOAT, _DOUBLE, _ENUM, _BYTES, _STRING, _ARRAY = range(
    len(KINDS)
)
COLUMNS: Final = (
    *("kind", "null_index", "symbols", "shortest", "longest", "size"),
    *("is_id", "not_negative", "mark"),
)
"""What a step is described by: numbers, -1 for none; ``mark`` is where to mark it."""
_KIND, _NULL_INDEX, _SYMBOLS, _SHORTEST, _LONGEST, _SIZE, _ID, _POSITIVE, _MARK = range(
    len(COLUMNS)
)

_MORE: Final = 128
_LOW_BITS: Final = 127
_NOT_AN_INDEX: Final = 0xFD
_LONGEST_LENGTH: Final = 4
_LONGEST_VARINT: Final = 9
_LONGEST_INT: Final = 4
_MOST_ITEMS: Final = 16
_FLOAT_BYTES: Final = 4
_DOUBLE_BYTES: Final = 8

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


@jit
def walk_loop(
    block: _Bytes,
    starts: _Ints,
    ends: _Ints,
    steps: _Ints,
    secret_pairs: _Mask,
    at_of: _Ints,
    size_of: _Ints,
    sure: _Mask,
    plain: _Mask,
) -> None:
    """Walk each datum; fill the last four arrays.

    ``steps`` has a row of `COLUMNS` for each field. ``at_of`` and ``size_of``, of
    shape (marks, n), come with 0 and -1: as a null is marked.
    """
    for datum in range(len(starts)):
        at, end = starts[datum], ends[datum]
        high = np.uint8(0)
        good = True
        for step in range(len(steps)):
            kind = steps[step, _KIND]
            null_index = steps[step, _NULL_INDEX]
            if null_index >= 0:
                index = block[at]
                at += 1
                if index & _NOT_AN_INDEX or at > end:
                    good = False
                    break
                if (index == 0) != (null_index == 1):
                    continue
            value = at
            size: Any = -1
            if _BYTES <= kind <= _ARRAY:
                texts: Any = 1
                if kind == _ARRAY:
                    count = np.int64(block[at])
                    at += 1
                    texts = (count + 1) >> 1
                    if texts > _MOST_ITEMS:
                        good = False
                    elif count & 1:  # of a negative count: the block's size follows
                        good = block[at] & 1 == 0
                        width = 1
                        while block[at] >= _MORE and width < _LONGEST_LENGTH:
                            at += 1
                            width += 1
                        good &= block[at] < _MORE
                        at += 1
                text = 0
                while good and text < texts:
                    text += 1
                    byte = np.int64(block[at])
                    odd = byte & 1
                    size = byte & _LOW_BITS
                    width = 1
                    while byte >= _MORE and width < _LONGEST_LENGTH:
                        byte = np.int64(block[at + width])
                        size |= (byte & _LOW_BITS) << (7 * width)
                        width += 1
                    size >>= 1
                    value = at + width
                    at = value + size
                    longest, exact = steps[step, _LONGEST], steps[step, _SIZE]
                    if (
                        odd
                        or byte >= _MORE
                        or size < steps[step, _SHORTEST]
                        or (longest >= 0 and size > longest)
                        or (exact >= 0 and size != exact)
                        or at > end
                    ):
                        good = False
                        break
                    if steps[step, _ID]:
                        first = np.int64(block[value]) << 8
                        good = not secret_pairs[first | np.int64(block[value + 1])]
                    if kind == _BYTES:
                        if exact < 0:
                            high |= np.uint8(_MORE)  # they are not looked at
                    else:
                        for place in range(value, at):
                            high |= block[np.uint64(place)]
                if kind == _ARRAY and texts and good:
                    good = block[at] == 0  # else one more block, perhaps
                    at += 1
            elif _INT <= kind <= _LONG:
                good = not (steps[step, _POSITIVE] and block[at] & 1)
                longest = _LONGEST_INT if kind == _INT else _LONGEST_VARINT
                size = 1
                while block[at + size - 1] >= _MORE and size <= longest:
                    size += 1
                good &= size <= longest
                at += size
            elif kind == _BOOLEAN:
                good = block[at] <= 1
                at += 1
            elif kind == _ENUM:
                good = block[at] < 2 * steps[step, _SYMBOLS] and not block[at] & 1
                at += 1
            elif kind == _DOUBLE:
                at += _DOUBLE_BYTES
            elif kind == _FLOAT:
                at += _FLOAT_BYTES
            if not good or at > end:
                good = False
                break
            mark = steps[step, _MARK]
            if mark >= 0:
                at_of[mark, datum] = value
                size_of[mark, datum] = size
        sure[datum] = good and at == end
        plain[datum] = sure[datum] and high < _MORE


@jit
def longs_loop(block: _Bytes, at: _Ints, size: _Ints, values: _Ints) -> None:
    """Decode the varints of ``size`` bytes at each place; a size of -1 leaves 0."""
    for row in range(len(at)):
        code = np.uint64(0)
        for byte in range(size[row]):
            bits = np.uint64(block[at[row] + byte] & np.uint8(_LOW_BITS))
            code |= bits << np.uint64(7 * byte)
        value = np.int64(code >> np.uint64(1))
        values[row] = ~value if code & np.uint64(1) else value
