"""Rolling state of a facet, and of an account's membership in it."""

from __future__ import annotations

import math
from typing import Final

import msgspec

__all__ = [
    "FILLING_BITS",
    "MAX_MEMBERS",
    "FacetState",
    "FillingSketch",
    "Member",
    "distinct_share",
]

MAX_MEMBERS: Final = 4096
"""Members a facet remembers before it is suspect; once it is, they live in the
campaigns stage, so the bound costs nothing but the oldest accounts of a crowd."""

FILLING_BITS: Final = 4096
"""Bits of the linear-counting bitmap of fillings, 512 bytes a facet."""

MAX_FILLING_SAMPLES: Final = 3000
"""Samples after which the bitmap is left alone: at a load of 0.73 its estimate still
has a standard error under 2 % (Whang et al. 1990, table 1)."""

_SLOT_MINUTES: Final = 30
_SLOTS: Final = 64


class FillingSketch(msgspec.Struct, array_like=True):
    """Distinct fillings of a template, by linear counting (Whang et al. 1990).

    >>> sketch = FillingSketch()
    >>> for filling in (1, 2, 3, 3):
    ...     sketch.add(filling)
    >>> round(distinct_share(sketch.samples, sketch.ones()), 2)
    0.75
    """

    bits: bytes = bytes(FILLING_BITS // 8)
    samples: int = 0

    def add(self, exact: int) -> None:
        """Count one filling by the keyed hash of its whole prompt."""
        if self.samples < MAX_FILLING_SAMPLES:
            self.samples += 1
            bits = int.from_bytes(self.bits, "little") | 1 << (exact % FILLING_BITS)
            self.bits = bits.to_bytes(FILLING_BITS // 8, "little")

    def ones(self) -> int:
        """Bits set."""
        return int.from_bytes(self.bits, "little").bit_count()


def distinct_share(samples: int, ones: int) -> float:
    """Estimate what share of the sampled fillings were distinct, 0 to 1."""
    if samples == 0:
        return 0.0
    zero = (FILLING_BITS - ones) / FILLING_BITS
    return min(-FILLING_BITS * math.log(zero) / samples, 1.0)


class Member(msgspec.Struct, array_like=True):
    """An account's use of a facet, with its own evidence so far.

    ``slots`` has bit i set when the account was active i half hours before
    ``last``; ``events`` and ``templated`` are the account's totals; ``infrastructure``
    the hashes of its network, TLS, client and payment (0: absent) as last seen.
    """

    owner: int
    created: int
    first: int
    last: int
    count: int = 0
    events: int = 0
    templated: int = 0
    likeness: int = 0
    slots: int = 0
    infrastructure: tuple[int, int, int, int] = (0, 0, 0, 0)

    def use(self, minute: int, count: int) -> None:
        """Count ``count`` uses in ``minute``, which never falls."""
        shift = minute // _SLOT_MINUTES - self.last // _SLOT_MINUTES
        self.slots = (self.slots << shift if shift < _SLOTS else 0) & (2**_SLOTS - 1)
        self.slots |= 1
        self.last = minute
        self.count += count


class FacetState(msgspec.Struct, array_like=True):
    """What is known of one facet over all partitions.

    ``degree`` counts distinct accounts that used it, with or without evidence (0 for a
    template, whose uses are only known with evidence); ``exchanges`` counts uses with
    evidence. ``hours`` holds, newest last, [hour, {model: uses}].
    """

    kind: int
    name: str
    first: int
    last: int
    degree: int = 0
    traffic: int = 0
    exchanges: int = 0
    suspect: bool = False
    fillings: FillingSketch = msgspec.field(default_factory=FillingSketch)
    hours: list[tuple[int, dict[str, int]]] = []
    drift: str = ""
    families: dict[str, int] = {}
