"""A column of strings or bytes where it lies: places in one block of memory.

What the engine wants of an id is a number: the row it belongs to. So ids are hashed
where the chunk has them, and become Python strings only when they are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import loops

__all__ = ["PADDING", "ByteColumn", "LongColumn", "padded"]

PADDING: Final = 16
"""Zero bytes behind a block, so that a word may be read at any of its places."""

_WORD: Final = 8
_LENGTH_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_FACTOR: Final = np.uint64(0xD6E8FEB86659FD93)
"""Odd factors of a multiply and xor-shift hash (as in SplitMix64 and mx3)."""
_FOLD: Final = np.uint64(32)
_ALL_BITS: Final = np.uint64(0xFFFFFFFFFFFFFFFF)

_Ints = npt.NDArray[np.int64]


def padded(block: bytes) -> npt.NDArray[np.uint8]:
    """Copy a block to an array with zeros behind it."""
    array = np.empty(len(block) + PADDING, np.uint8)
    array[: len(block)] = np.frombuffer(block, np.uint8)
    array[len(block) :] = 0
    return array


class LongColumn(NamedTuple):
    """Integers, 0 where they are not ``present``."""

    values: _Ints
    present: npt.NDArray[np.bool_]

    def select(self, index: Any) -> Self:
        """Take values at ``index``: a mask or positions."""
        return type(self)(self.values[index], self.present[index])

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join parts in order."""
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.present for part in parts]),
        )


class ByteColumn(NamedTuple):
    """Values ``block[at : at + size]``; a size of -1 is a null.

    ``block`` ends with `PADDING` zeros that belong to no value.

    >>> column = ByteColumn.of(["a", None, "bc"])
    >>> column.text(2), column.size.tolist()
    ('bc', [1, -1, 2])
    """

    block: npt.NDArray[np.uint8]
    at: _Ints
    size: _Ints

    @classmethod
    def of(cls, values: Iterable[str | bytes | None]) -> Self:
        """Make a column of strings, as UTF-8, or of bytes."""
        raw = [value.encode() if isinstance(value, str) else value for value in values]
        size = np.array([-1 if one is None else len(one) for one in raw], np.int64)
        ends = np.cumsum(np.maximum(size, 0))
        block = b"".join(one for one in raw if one)
        return cls(padded(block), ends - np.maximum(size, 0), size)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Tell which values are not null."""
        return np.asarray(self.size >= 0, np.bool_)

    def value(self, index: int) -> bytes | None:
        """Give one value."""
        at, size = int(self.at[index]), int(self.size[index])
        return None if size < 0 else self.block[at : at + size].tobytes()

    def text(self, index: int) -> str | None:
        """Give one value of a column of strings."""
        value = self.value(index)
        return None if value is None else value.decode()

    def values(self) -> list[bytes | None]:
        """Give all values."""
        view = self.block.data
        return [
            None if size < 0 else view[at : at + size].tobytes()
            for at, size in zip(self.at.tolist(), self.size.tolist(), strict=True)
        ]

    def texts(self) -> list[str | None]:
        """Give all values of a column of strings."""
        return [None if value is None else value.decode() for value in self.values()]

    def select(self, index: Any) -> Self:
        """Take values at ``index``: a mask or positions."""
        return self._replace(at=self.at[index], size=self.size[index])

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join parts in order."""
        if len(parts) == 1:
            return parts[0]
        shifts = np.cumsum([0, *(len(part.block) for part in parts[:-1])])
        return cls(
            np.concatenate([part.block for part in parts]),
            np.concatenate([p.at + by for p, by in zip(parts, shifts, strict=True)]),
            np.concatenate([part.size for part in parts]),
        )

    def words(self) -> npt.NDArray[np.uint64]:
        """View the block as the little-endian word that begins at each byte."""
        size = len(self.block) - _WORD + 1
        return np.ndarray((size,), np.dtype("<u8"), self.block.data, strides=(1,))

    def begins_with(self, prefix: bytes) -> npt.NDArray[np.bool_]:
        """Tell which values begin with a prefix of at most 8 bytes.

        >>> ByteColumn.of(["ab", "b", None]).begins_with(b"a").tolist()
        [True, False, False]
        """
        long_enough = self.size >= len(prefix)
        word = self.words()[np.where(long_enough, self.at, 0)]
        wanted = np.uint64(int.from_bytes(prefix, "little"))
        bits = np.uint64((1 << 8 * len(prefix)) - 1)
        return np.asarray(long_enough & (word & bits == wanted), np.bool_)

    def cut(self, count: int) -> Self:
        """Take the first ``count`` bytes off values that are not null."""
        return self._replace(at=self.at + count, size=self.size - count)

    def hashes(self, seed: int) -> npt.NDArray[np.uint64]:
        """Hash each value to 64 bits; a null has the hash of an empty value.

        For look-ups within a process: not for records, and no secret. A ``seed`` that
        others do not know keeps them from making ids that collide.

        >>> one, other = ByteColumn.of(["id", "id"]).hashes(seed=1).tolist()
        >>> one == other
        True
        """
        words, size = self.words(), np.maximum(self.size, 0)
        begin = _begin(seed)
        if loops():
            from streams.contracts.hash_loops import hash_loop  # noqa: PLC0415  numba

            hashes = np.empty(len(size), np.uint64)
            constants = _LENGTH_FACTOR, _FACTOR, _FOLD
            hash_loop(words, self.at, self.size, begin, *constants, hashes)
            return hashes
        mixed = size.astype(np.uint64) * _LENGTH_FACTOR ^ begin
        for start in range(0, int(size.max(initial=0)), _WORD):
            left = size - start
            on = np.flatnonzero(left > 0)
            if len(on) == len(size):
                mixed = _mix(mixed, _head(words[self.at + start], left))
            else:
                word = _head(words[self.at[on] + start], left[on])
                mixed[on] = _mix(mixed[on], word)
        mixed = _mix(mixed, mixed >> _FOLD)
        return _mix(mixed, mixed >> _FOLD)

    def matrix(self, width: int) -> npt.NDArray[np.uint8]:
        """Give values of exactly ``width`` bytes as rows; zeros for any other."""
        places = max(len(self.block) - width + 1, 1)
        stretches = np.lib.stride_tricks.as_strided(
            self.block, (places, width), (1, 1), writeable=False
        )
        fits = self.size == width
        rows = stretches[np.where(fits, self.at, 0)]
        if not fits.all():
            rows[~fits] = 0
        return rows


@lru_cache
def _begin(seed: int) -> np.uint64:
    """Mix a seed, so that neighbouring ones have nothing in common."""
    mixed = _mix(np.array([seed], np.uint64), _LENGTH_FACTOR)
    return np.uint64(_mix(mixed, _LENGTH_FACTOR)[0])


def _head(word: npt.NDArray[np.uint64], size: _Ints) -> npt.NDArray[np.uint64]:
    """Keep the first ``size`` bytes of each word; 8 or more keep all of it."""
    drop = np.maximum(_WORD - size, 0).astype(np.uint64) * np.uint64(8)
    return word & _ALL_BITS >> drop


def _mix(
    mixed: npt.NDArray[np.uint64], word: npt.NDArray[np.uint64] | np.uint64
) -> npt.NDArray[np.uint64]:
    mixed = (mixed ^ word) * _FACTOR
    mixed ^= mixed >> _FOLD
    return mixed
