"""The chain of the records of an answer, followed by a compiled loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit

__all__ = ["follow_loop"]

_Ints = npt.NDArray[np.int64]

_MORE = 0x80  # the bit that says another byte of a number follows
_GROUP = 7  # bits of a number in one byte
_LONGEST = 35  # bits of the longest length


@jit
def follow_loop(
    data: npt.NDArray[np.uint8],
    blob_ends: _Ints,
    counts: _Ints,
    begins: _Ints,
    ends: _Ints,
) -> bool:
    """Put where each record begins and ends, behind its length; False if one is wrong.

    ``counts`` records lie before each of ``blob_ends``, and nothing else.
    """
    number = at = 0
    for batch in range(len(counts)):
        blob_end = blob_ends[batch]
        for _ in range(counts[batch]):
            code = shift = 0
            while True:
                if at >= blob_end or shift > _LONGEST:
                    return False
                byte = int(data[at])
                at += 1
                code |= (byte & (_MORE - 1)) << shift
                if byte < _MORE:
                    break
                shift += _GROUP
            begins[number] = at
            size = code >> 1 ^ -(code & 1)
            if size < 0:
                return False
            at += size
            ends[number] = at
            number += 1
        if at != blob_end:
            return False
    return True
