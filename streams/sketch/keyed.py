"""Everything that turns text into hashes, all of it under the key.

*Fields* (system, head, tail, exact, tools) are BLAKE2b of the field's content with the
key and a personalisation of the field's own (RFC 7693): a pseudo-random function, so
without the key no field can be compared with a guess, and equal content in two fields
gives unrelated hashes.

*Tokens* get a 64-bit BLAKE2b hash under the key, kept in a bounded cache,
`streams.sketch.vocabulary`.

*MinHash* (Broder 1997) combines those token hashes by arithmetic: a shingle is
the sum of its four token hashes, each times an odd 64-bit number that BLAKE2b derives
from the key, mixed and cut to 32 bits; each of the 16 slots is the least of
``a * shingle + b`` over the shingles (multiply-shift, Dietzfelbinger et al. 1997; a, b
from the key), of which 16 bits are kept. The inputs are pseudo-random under the key, so
without it no dictionary of shingles can be hashed. The arithmetic on top is *not* a
pseudo-random function of its own: it is there for speed, a BLAKE2b per shingle would
cost fifty times more.

What leaks, by design: *equality*. Who reads sketches sees which prompts share a head, a
tail, shingles (by 16 bits and never which), or all of their text; who can also send
prompts of their own through the gateway and read the sketches can test a guess that
way. Markers and ratios are not hashed at all. Rotating the key ends comparison across
the rotation; treat the topic as confidential even so.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.errors import ConfigError
from streams.sketch.layout import MINHASH_SLOTS

if TYPE_CHECKING:
    from hashlib import blake2b

__all__ = [
    "SHINGLE_TOKENS",
    "FieldHash",
    "MinHasher",
    "key_epoch",
    "key_fingerprint",
    "usable_key",
]

SHINGLE_TOKENS = 4
_HASH_BYTES = 8


def key_epoch(key_id: str) -> int:
    """Give the byte that tells keys apart in a sketch; it depends on the id alone.

    >>> key_epoch("2025-07"), key_epoch("2025-08")
    (40, 238)
    """
    name = key_id.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=1, person=b"sketch-key-id").digest()[0]


def key_fingerprint(key: bytes) -> str:
    """Give 16 hexadecimal digits that are the same for the same key, and no help in it.

    >>> key_fingerprint(b"k" * 32)
    '1f97e147b5f3aa58'
    """
    return f"{FieldHash(usable_key(key), 'keyprint')():016x}"


def usable_key(key: bytes) -> bytes:
    """Fit a key to BLAKE2b: hash a longer one, refuse none at all.

    Anything shorter than 16 random bytes can be guessed; use 32.
    """
    if not key:
        raise ConfigError(
            "the sketch key is empty, and an unkeyed sketch can be looked up in a "
            "dictionary of prompts; give 32 random bytes"
        )
    if len(key) > hashlib.blake2b.MAX_KEY_SIZE:
        return hashlib.blake2b(key, person=b"sketch-long-key").digest()
    return bytes(key)


class FieldHash:
    """Keyed 64-bit hash of one field; never 0.

    >>> FieldHash(b"k" * 32, "head")(b"some content") == 0
    False
    """

    __slots__ = ("_state",)

    def __init__(self, key: bytes, field: str) -> None:
        self._state: blake2b = hashlib.blake2b(
            digest_size=_HASH_BYTES, key=key, person=f"sketch-{field}".encode()
        )

    def __call__(self, *parts: bytes) -> int:
        """Hash the parts, one after the other; the caller sets them apart."""
        state = self._state.copy()
        for part in parts:
            state.update(part)
        return int.from_bytes(state.digest(), "little") or 1


def _derive(key: bytes, name: str, count: int) -> list[int]:
    derive = FieldHash(key, "derive")
    return [derive(f"{name}{i}".encode()) for i in range(count)]


class MinHasher:
    """Keyed MinHash of token hashes, many prompts at a time."""

    __slots__ = ("_finish", "_positions", "_slot_add", "_slot_multiply")

    def __init__(self, key: bytes) -> None:
        odd = [value | 1 for value in _derive(key, "position", SHINGLE_TOKENS + 1)]
        self._positions = [np.uint64(value) for value in odd[:-1]]
        self._finish = np.uint64(odd[-1])
        slots = _derive(key, "slot", 2 * MINHASH_SLOTS)
        multiply = np.array(slots[:MINHASH_SLOTS], dtype=np.uint64) >> np.uint64(32)
        add = np.array(slots[MINHASH_SLOTS:], dtype=np.uint64) >> np.uint64(32)
        self._slot_multiply = (multiply.astype(np.uint32) | np.uint32(1))[:, None]
        self._slot_add = add.astype(np.uint32)[:, None]

    def __call__(
        self, tokens: NDArray[np.uint64], bounds: ArrayLike
    ) -> NDArray[np.uint16]:
        """Take minima over the shingles of each stretch of ``tokens``.

        ``bounds`` holds begin and end of each stretch in turn, none shorter than
        `SHINGLE_TOKENS`. Returns (stretches, 16) values of 1..65535.
        """
        count = len(tokens) - SHINGLE_TOKENS + 1
        mixed = np.zeros(count + 1, dtype=np.uint64)  # one more: an end may be count
        shingles = mixed[:count]
        for offset, factor in enumerate(self._positions):
            shingles += tokens[offset : offset + count] * factor
        mixed ^= mixed >> np.uint64(32)
        mixed *= self._finish
        short = (mixed >> np.uint64(32)).astype(np.uint32)
        slots = short * self._slot_multiply
        slots += self._slot_add
        edges = np.array(bounds, dtype=np.intp)
        edges[1::2] -= SHINGLE_TOKENS - 1
        least = np.minimum.reduceat(slots, edges, axis=1)[:, ::2]
        kept = (least & np.uint32(0xFFFF)).astype(np.uint16)
        return np.maximum(kept, np.uint16(1)).T
