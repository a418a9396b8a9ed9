"""The row of rolling state that is kept for each account.

One fixed-size record of integers per account. Integers make every update exact, so
that neither the cutting of chunks nor a restart can change a result.
"""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = [
    "ACCOUNT_ROW",
    "FACET_KINDS",
    "INFRASTRUCTURE_KINDS",
    "MARKER_COUNT",
    "MODEL_SLOTS",
    "NETWORK",
    "PAYMENT",
    "RECENT_REQUESTS",
    "ROW_VERSION",
    "TEMPLATE_KINDS",
    "TRAFFIC",
]

ROW_VERSION: Final = 3
"""Changes whenever the layout of `ACCOUNT_ROW` does; a restore checks it."""

TEMPLATE_KINDS: Final = (
    "template_head",
    "template_tail",
    "template_band0",
    "template_band1",
    "template_system",
)
"""Facets that come from the sketch, in the order of the recent-request ring."""

INFRASTRUCTURE_KINDS: Final = ("network", "tls", "client", "payment")
"""Facets that come from the connection and the customer record."""
NETWORK: Final = INFRASTRUCTURE_KINDS.index("network")
PAYMENT: Final = INFRASTRUCTURE_KINDS.index("payment")

FACET_KINDS: Final = (*TEMPLATE_KINDS, *INFRASTRUCTURE_KINDS)
"""Kinds of facet by number, as they travel."""

TRAFFIC: Final = 255
"""Kind of the rows that tell the events of a whole minute, whatever their facets."""

RECENT_REQUESTS: Final = 24
"""Requests an account remembers the template tags of: a day's of a slow account. Of
three templates at a mix of 10 %, 1 - (1 - 0.1 / 3)^24 = 56 % of the uses still find
their predecessor; of 8 remembered requests, 24 % would."""

MODEL_SLOTS: Final = 8
"""Buckets of the model mix; models share a bucket by hash, as a mix needs no names."""

MARKER_COUNT: Final = 32
"""Lexical marker bits of a sketch."""

ACCOUNT_ROW: Final = np.dtype(
    [
        ("version", "u1"),
        ("owner", "<u8"),  # hash of the organization, or of the account without one
        ("created_minute", "<i4"),  # -1: unknown
        ("first_minute", "<i4"),
        ("last_minute", "<i4"),
        ("events", "<u4"),  # exchanges that can be evidence
        ("refused", "<u4"),  # exchanges refused or altered by our own actions
        ("templated", "<u4"),  # exchanges that repeat a template with another filling
        ("minute_peak", "<u4"),  # most events in any minute
        ("hour", "<i4"),  # of the last event; -1: none yet
        ("hour_events", "<u4"),
        ("hour_peak", "<u4"),
        ("hours_of_day", "<u4"),  # bit h: active in hour h (UTC) of some day
        ("active_hours", "<u4"),
        ("tokens_in", "<u8"),
        ("tokens_out", "<u8"),
        ("tokens_reasoning", "<u8"),
        ("models", "<u4", (MODEL_SLOTS,)),
        ("markers", "<u4", (MARKER_COUNT,)),
        ("facets_seen", "<u8", (len(INFRASTRUCTURE_KINDS),)),  # one-bit Bloom filters
        ("facets_sent", "<u8", (len(INFRASTRUCTURE_KINDS),)),
        # Request n is in place n modulo RECENT_REQUESTS. Of 24 x 5 tags of 16 bits, one
        # in 500 requests finds one that is its own by chance.
        ("recent", "<u2", (RECENT_REQUESTS, len(TEMPLATE_KINDS))),
        ("recent_exact", "u1", (RECENT_REQUESTS,)),
        ("likeness", "<i2"),  # log-odds x 100 at the last look
    ]
)
"""Less than 600 bytes; measured by the memory benchmark, not by hand."""
