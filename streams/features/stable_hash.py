"""Hashes of ids that state and records keep."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts.byte_column import ByteColumn
from streams.contracts.compiled import loops

__all__ = ["stable_hash", "stable_hashes"]

_BYTES: Final = 8


def stable_hash(text: str) -> int:
    """Hash text to 64 bits, the same in every process and version.

    >>> stable_hash("")
    13020603013274838756
    """
    digest = blake2b(text.encode(), digest_size=_BYTES).digest()
    return int.from_bytes(digest, "little")


def stable_hashes(values: ByteColumn, *, prefix: bytes = b"") -> npt.NDArray[np.uint64]:
    """Hash a column of texts, each with a prefix before it; a null is an empty text.

    >>> stable_hashes(ByteColumn.of(["b"]), prefix=b"a")[0] == stable_hash("ab")
    np.True_
    """
    if loops():
        from streams.features.blake_loops import blake2b_loop  # noqa: PLC0415  numba

        hashes, head = (
            np.empty(len(values.at), np.uint64),
            np.array([*prefix], np.uint8),
        )
        blake2b_loop(values.block, values.at, values.size, head, hashes)
        return hashes
    digests = [
        blake2b(prefix + (one or b""), digest_size=_BYTES).digest()
        for one in values.values()
    ]
    return np.frombuffer(b"".join(digests), "<u8")
