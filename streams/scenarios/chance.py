"""Seeded randomness: one independent stream for each name, the same in any process."""

from __future__ import annotations

from hashlib import blake2b
from random import Random

import numpy as np

__all__ = ["dice", "digest", "generator"]


def digest(size: int, *parts: object) -> bytes:
    """Hash of the parts' text, ``size`` bytes; independent of ``PYTHONHASHSEED``.

    >>> digest(4, 1, "calm").hex()
    '026688b2'
    """
    text = "\x1f".join(map(str, parts)).encode()
    return blake2b(text, digest_size=size).digest()


def dice(*parts: object) -> Random:
    """Make a scalar generator, fast for one draw at a time."""
    seed = int.from_bytes(digest(16, *parts), "big")
    return Random(seed)  # noqa: S311 a simulation must repeat, not be secret


def generator(*parts: object) -> np.random.Generator:
    """Make a vector generator, fast for many draws at once."""
    seed = int.from_bytes(digest(16, *parts), "big")
    return np.random.Generator(np.random.PCG64(seed))
