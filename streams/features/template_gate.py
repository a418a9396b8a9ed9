"""The local gate: whether an account used a template before, with another filling.

Most prompts are new text, and their template hashes occur once in a lifetime. Sending
them all to the facets stage would double the traffic. An account remembers the
template tags of its last `RECENT_REQUESTS` requests; only a template that comes again
with a *different* prompt passes. A greeting that is repeated word for word does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streams.features.account_row import RECENT_REQUESTS, TEMPLATE_KINDS

__all__ = ["open_templates"]


def open_templates(
    rows: npt.NDArray[Any],
    slots: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    templates: npt.NDArray[np.uint64],
    exact: npt.NDArray[np.uint64],
) -> npt.NDArray[np.bool_]:
    """Tell which template keys of which events pass, and remember the events.

    Parameters
    ----------
    rows
        The account table's array; ``recent`` and ``recent_exact`` are updated, and
        ``events`` says how many requests there were before.
    slots
        The distinct accounts of the batch, in the order of ``starts``, shape (u,).
    starts
        Where each account's events begin in the event arrays, shape (u,).
    templates
        Keyed template hashes of the events, sorted by account, then in log order,
        shape (n, 5); 0 where absent.
    exact
        Keyed hashes of the whole prompts, shape (n,).

    Returns
    -------
    Boolean array of shape (n, 5).

    """
    count = len(exact)
    users = len(slots)
    lengths = np.diff(np.append(starts, count))
    # One array in which each account's remembered requests precede its new ones.
    ranks = np.repeat(np.arange(1, users + 1), lengths)
    position = np.arange(count) + RECENT_REQUESTS * ranks
    begin = starts + RECENT_REQUESTS * np.arange(users)
    memory = begin[:, None] + np.arange(RECENT_REQUESTS)
    size = count + RECENT_REQUESTS * users
    tags = np.empty((size, len(TEMPLATE_KINDS)), np.uint16)
    fillings = np.empty(size, np.uint8)
    before = rows["events"][slots, None].astype(np.int64)
    oldest_first = (before + np.arange(RECENT_REQUESTS)) % RECENT_REQUESTS
    tags[memory] = rows["recent"][slots[:, None], oldest_first]
    fillings[memory] = rows["recent_exact"][slots[:, None], oldest_first]
    new_tags = templates.astype(np.uint16)
    new_fillings = exact.astype(np.uint8)
    tags[position] = new_tags
    fillings[position] = new_fillings

    passed = np.zeros((count, len(TEMPLATE_KINDS)), bool)
    for lag in range(1, RECENT_REQUESTS + 1):
        earlier = position - lag
        varied = new_fillings != fillings[earlier]
        passed |= (new_tags == tags[earlier]) & varied[:, None]
    passed &= new_tags != 0

    end = begin + lengths
    newest = end[:, None] + np.arange(RECENT_REQUESTS)
    places = (oldest_first + lengths[:, None]) % RECENT_REQUESTS
    rows["recent"][slots[:, None], places] = tags[newest]
    rows["recent_exact"][slots[:, None], places] = fillings[newest]
    return passed
