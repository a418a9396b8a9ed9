"""Python's search for cycles: seldom, and not through state that lasts.

What passes through a worker is freed as soon as nobody holds it: records, rows, columns
and the state objects have no cycles. Looking for some after every 700 new objects took
a fifth of a worker's time.
"""

from __future__ import annotations

import gc

__all__ = ["search_seldom", "settle"]

_YOUNG = 100_000  # new objects between two searches among them, some 10 MB
_YOUNG_SEARCHES = 20  # before a search among those that outlived one


def search_seldom() -> None:
    """Let cycles wait longer; what makes them here is a task that failed, at most."""
    gc.set_threshold(_YOUNG, _YOUNG_SEARCHES)


def settle() -> None:
    """Search everything once, and from here on no more among what is left.

    After a change of owners: what the former partitions leave behind goes, the
    restored state stays for as long as its partitions are here.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
