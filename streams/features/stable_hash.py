"""Hashes of ids that state and records keep."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["stable_hash", "stable_hashes"]

_BYTES: Final = 8


def stable_hash(text: str) -> int:
    """Hash text to 64 bits, the same in every process and version.

    >>> stable_hash("")
    13020603013274838756
    """
    digest = blake2b(text.encode(), digest_size=_BYTES).digest()
    return int.from_bytes(digest, "little")


def stable_hashes(
    values: Iterable[bytes], *, prefix: bytes = b""
) -> npt.NDArray[np.uint64]:
    """Hash texts that are encoded already, each with a prefix before it.

    >>> stable_hashes([b"b"], prefix=b"a")[0] == stable_hash("ab")
    np.True_
    """
    digests = [blake2b(prefix + one, digest_size=_BYTES).digest() for one in values]
    return np.frombuffer(b"".join(digests), "<u8")
