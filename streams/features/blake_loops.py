"""BLAKE2b with a digest of eight bytes (RFC 7693), for a column, as a compiled loop.

What Python's hashlib gives, at a fraction of the cost for ids of some 30 bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit

__all__ = ["blake2b_loop"]

_BLOCK: Final = 128
_WORDS: Final = 16
_ROUNDS: Final = 12
_IV: Final = np.array(
    [
        *(0x6A09E667F3BCC908, 0xBB67AE8584CAA73B),
        *(0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1),
        *(0x510E527FADE682D1, 0x9B05688C2B3E6C1F),
        *(0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179),
    ],
    np.uint64,
)
_PARAMETERS: Final = np.uint64(0x01010008)
"""Fan-out and depth 1, no key, a digest of eight bytes (RFC 7693, section 2.5)."""
_SIGMA: Final = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    np.int64,
)
_R1, _R2, _R3, _R4 = (np.uint64(bits) for bits in (32, 24, 16, 63))
_L1, _L2, _L3, _L4 = (np.uint64(64 - bits) for bits in (32, 24, 16, 63))

_Hashes = npt.NDArray[np.uint64]


@jit
def _mix(
    a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64, x: np.uint64, y: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Mix four words of the state with two of the text (section 3.1)."""
    a = a + b + x
    d ^= a
    d = d >> _R1 | d << _L1
    c += d
    b ^= c
    b = b >> _R2 | b << _L2
    a = a + b + y
    d ^= a
    d = d >> _R3 | d << _L3
    c += d
    b ^= c
    b = b >> _R4 | b << _L4
    return a, b, c, d


@jit
def blake2b_loop(
    block: npt.NDArray[np.uint8],
    at: npt.NDArray[np.int64],
    size: npt.NDArray[np.int64],
    prefix: npt.NDArray[np.uint8],
    hashes: _Hashes,
) -> None:
    """Hash each value with ``prefix`` before it; a null as an empty value."""
    state, m = np.empty(8, np.uint64), np.empty(_WORDS, np.uint64)
    words, text = np.empty(_WORDS, np.uint64), np.empty(_BLOCK, np.uint8)
    head = len(prefix)
    for row in range(len(at)):
        length = head + max(size[row], 0)
        state[:] = _IV
        state[0] ^= _PARAMETERS
        for start in range(0, max(length, 1), _BLOCK):
            stop = min(start + _BLOCK, length)
            text[:] = 0
            for place in range(start, stop):
                if place < head:
                    text[place - start] = prefix[place]
                else:
                    text[place - start] = block[at[row] + place - head]
            for word in range(_WORDS):
                value = np.uint64(0)
                for byte in range(7, -1, -1):
                    value = value << np.uint64(8) | np.uint64(text[8 * word + byte])
                words[word] = value
            v0, v1, v2, v3 = state[0], state[1], state[2], state[3]
            v4, v5, v6, v7 = state[4], state[5], state[6], state[7]
            v8, v9, v10, v11 = _IV[0], _IV[1], _IV[2], _IV[3]
            v12, v13, v14, v15 = _IV[4] ^ np.uint64(stop), _IV[5], _IV[6], _IV[7]
            if stop == length:
                v14 = ~v14
            for round_ in range(_ROUNDS):
                for word in range(_WORDS):
                    m[word] = words[_SIGMA[round_, word]]
                v0, v4, v8, v12 = _mix(v0, v4, v8, v12, m[0], m[1])
                v1, v5, v9, v13 = _mix(v1, v5, v9, v13, m[2], m[3])
                v2, v6, v10, v14 = _mix(v2, v6, v10, v14, m[4], m[5])
                v3, v7, v11, v15 = _mix(v3, v7, v11, v15, m[6], m[7])
                v0, v5, v10, v15 = _mix(v0, v5, v10, v15, m[8], m[9])
                v1, v6, v11, v12 = _mix(v1, v6, v11, v12, m[10], m[11])
                v2, v7, v8, v13 = _mix(v2, v7, v8, v13, m[12], m[13])
                v3, v4, v9, v14 = _mix(v3, v4, v9, v14, m[14], m[15])
            state[0] ^= v0 ^ v8
            state[1] ^= v1 ^ v9
            state[2] ^= v2 ^ v10
            state[3] ^= v3 ^ v11
            state[4] ^= v4 ^ v12
            state[5] ^= v5 ^ v13
            state[6] ^= v6 ^ v14
            state[7] ^= v7 ^ v15
        hashes[row] = state[0]
