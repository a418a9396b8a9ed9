"""The kernel of `streams.features.shared_templates`, use by use, to be compiled.

It gives the same answers as the version in numpy, to the bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import jit

__all__ = ["Requests", "mark_loop"]


class Requests(NamedTuple):
    """The columns of requests that `mark_loop` compares."""

    tags: Any
    owner: Any
    filling: Any


@jit
def mark_loop(
    first: int,
    page: int,
    pages: int,
    new: Requests,
    ring: Requests,
    latest: npt.NDArray[np.int64],
    shared: npt.NDArray[np.bool_],
) -> None:
    """Mark the uses whose predecessor was another owner's; ``shared`` has False."""
    slots = len(latest) - 1
    for request in range(len(new.owner)):
        number = first + request
        place = number % (page * pages)
        for column in range(new.tags.shape[1]):
            tag = new.tags[request, column]
            ring.tags[place, column] = tag
            if not tag:
                continue
            slot = np.int64(tag) & slots
            before = latest[slot]
            latest[slot] = number * 4 + column
            known = before >> 2
            if before >= 0 and known // page > number // page - pages:
                old = known % (page * pages)
                shared[request, column] = (
                    known != number
                    and ring.tags[old, before & 3] == tag
                    and ring.owner[old] != new.owner[request]
                    and ring.filling[old] != new.filling[request]
                )
        ring.owner[place] = new.owner[request]
        ring.filling[place] = new.filling[request]
