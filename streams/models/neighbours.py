"""Nearest neighbours across two samples: prompts that are at home among themselves.

A prompt's *companions* are the other prompts of its window that lie nearer to it than
the nearest prompt of a reference does. When window and reference come from the same
source, each of a prompt's neighbours is of the window with the window's share of all
prompts, so k companions happen with about that share to the power k. Many prompts with
k companions are a cluster where the reference has nothing.

Method: the nearest-neighbour two-sample test (Schilling 1986; Henze 1988), of which
only those prompts count whose first k neighbours are *all* of the window. A mixture
whose known parts shift moves the mean of that test, but hardly this tail of it.

With a frozen benign reference it finds kinds of prompts that the reference lacks. With
the group's own past as reference it finds kinds that are new to this group.

What fools it: prompts like those that the reference has already (grade-school maths
among grade-school maths); variety, so that prompts are not alike; and, against a
group's past, having been there before: windows of 500 with a quarter of an attack were
found in 91 % where the past had none of it, in 5 % where 2 % of the past was the same
attack. The past has to be from before a campaign, and one that grows slowly hides.
False positives: a benign job of a new kind that begins in the group looks the same (a
quarter of a window: 74 % found). It tells that a group has changed, which is a reason
to look at its links, and never a verdict.
Status: experimental; measured by ``distillwatch benchmark detection``, not yet part of
a decision.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.models.sketch_space import squared_distances

__all__ = ["companions", "crowded_share", "expected_share", "nearest"]

Floats = NDArray[np.float32]
_BLOCK: Final = 1024
"""Rows of a distance matrix that are held at once."""


def nearest(points: Floats, reference: Floats) -> Floats:
    """Give each point's squared distance to the nearest point of the reference.

    >>> nearest(np.float32([[0], [9]]), np.float32([[1], [5]])).tolist()
    [1.0, 16.0]
    """
    blocks = [
        squared_distances(points[at : at + _BLOCK], reference).min(axis=1)
        for at in range(0, len(points), _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.float32)


def companions(points: Floats, outside: Floats) -> NDArray[np.int64]:
    """Count each point's companions.

    ``outside`` is each point's squared distance to the reference. Points should be of
    *distinct* prompts: a repeat is no cluster.

    >>> companions(np.float32([[0], [1], [9]]), np.float32([4, 4, 4])).tolist()
    [1, 1, 0]
    """
    found = np.zeros(len(points), dtype=np.int64)
    for at in range(0, len(points), _BLOCK):
        block = slice(at, at + _BLOCK)
        near = squared_distances(points[block], points) < outside[block, None]
        # A point is at no distance from itself; it is no companion.
        found[block] = near.sum(axis=1) - (outside[block] > 0)
    return found


def expected_share(window: int, reference: int, companions_: int) -> float:
    """Give the share of prompts with so many companions when nothing is new.

    >>> round(expected_share(500, 1500, 5), 5)
    0.00097
    """
    others = window - 1 + reference
    return ((window - 1) / others) ** companions_ if others > 0 else 0.0


def crowded_share(points: Floats, reference: Floats, fewest: int) -> float:
    """Give the share of points with ``fewest`` companions, beyond what is expected.

    >>> known = np.float32([[0], [50], [100]])
    >>> round(crowded_share(np.float32([[30], [31], [32], [33]]), known, 2), 2)
    0.75
    """
    if not len(points) or not len(reference):
        return 0.0
    counts = companions(points, nearest(points, reference))
    crowded = float((counts >= fewest).mean())
    return crowded - expected_share(len(points), len(reference), fewest)
