"""Which uses of infrastructure travel although their account repeats no template.

A campaign without templates is told by what its accounts share. So an account's payment
and network travel when other accounts of its partition have them, but not many. The
account must have something of its own that ordinary accounts seldom have: it pays with
another account's token; or it began within a week of its creation, on a network that
others share: then its payment travels, as its fellows may be in other partitions. Home
networks, carriers and popular proxies stay where they are; clients and TLS fingerprints
are too few in the world to say anything.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.time_units import MINUTES_PER_WEEK
from streams.features.account_row import NETWORK, PAYMENT
from streams.features.event_columns import EventColumns

__all__ = ["MOST_SHARING", "YOUNG_MINUTES", "sharing_uses"]

MOST_SHARING: Final = 64
"""Accounts of a partition up to which a facet travels so: five hundred over eight
partitions, beyond which a network is a carrier's or a popular proxy's."""

_LEAST_SHARING: Final = 2
YOUNG_MINUTES: Final = MINUTES_PER_WEEK
"""Minutes between an account's creation and its first event that make it young."""


def sharing_uses(
    rows: npt.NDArray[Any], events: EventColumns, users: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Mark (n, 4) the uses that travel; ``users`` has the accounts of each facet."""
    shared = (users >= _LEAST_SHARING) & (users <= MOST_SHARING)
    marked = np.zeros(users.shape, bool)
    at = np.flatnonzero(shared[:, NETWORK] | shared[:, PAYMENT])
    if not len(at):
        return marked
    slot, shared = events.slot[at], shared[at]
    created = rows["created_minute"][slot]
    began = rows["first_minute"][slot] - created
    young = (created >= 0) & (began >= 0) & (began < YOUNG_MINUTES)
    marked[at, NETWORK] = shared[:, NETWORK] & shared[:, PAYMENT]
    marked[at, PAYMENT] = shared[:, PAYMENT] | (shared[:, NETWORK] & young)
    return marked
