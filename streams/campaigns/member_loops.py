"""The scores of many accounts of a group, account by account, to be compiled."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.campaigns.creation_batches import MIN_BATCH_SHARE, NEAR
from streams.campaigns.link_columns import FACET_BITS, EdgeColumns
from streams.contracts.compiled import loop
from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_WEEK
from streams.features.account_row import FACET_KINDS, TEMPLATE_KINDS

__all__ = ["FACTS", "scores_loop"]

_KINDS: Final = len(FACET_KINDS)
_TEMPLATES: Final = len(TEMPLATE_KINDS)
_PAYMENT: Final = FACET_KINDS.index("payment")
_NETWORK: Final = FACET_KINDS.index("network")
_TLS: Final = FACET_KINDS.index("tls")
_CLIENT: Final = FACET_KINDS.index("client")
_MIN_SHARING: Final = 2
_TEMPLATES_SCALE: Final = 4

FACTS: Final = 8
"""Columns of what is told of each account."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@loop
def scores_loop(
    account: tuple[Any, Any, Any, Any],
    edges: EdgeColumns,
    facet: tuple[Any, Any, Any],
    places: tuple[Any, Any, Any, Any],
    users: Ints,
    opened: Ints,
    tables: tuple[Floats, Floats, npt.NDArray[np.bool_]],
    scale: Any,
    group: tuple[int, float],
    asked: Ints,
    uses: Floats,
    out: Floats,
    facts: Floats,
) -> None:
    """Fill in scores and facts; see `streams.campaigns.member_features.GroupProfile`.

    Of each account the facts are the purity of its purest payment, network and software
    (TLS and client, their mean) that others of the group share; then its share of
    templated exchanges, further templates, share of the group opened within a day of
    it, accounts opened in the same half hour, and whether it is young.

    ``account`` are the columns created, first, events and heads; ``facet`` kind, home
    and degree; ``tables`` features by uses and by mates, and which kinds are places;
    ``group`` its seat, and the accounts from which on a place is the group's own.
    """
    created_at, first_at, events_at, heads = account
    kind_of, home, degree_of = facet
    keys, rows, mix, shift = places
    by_uses, by_mates, is_place = tables
    seat, site = group
    mask = len(rows) - 1
    own = np.uint64(seat) << FACET_BITS
    kinds = np.zeros(_TEMPLATES, np.int64)
    best = np.zeros(_KINDS)
    for number in range(len(asked)):
        at = asked[number]
        best[:] = 0.0
        edge = heads[at, 1]
        while edge:
            used = edges.facet[edge]
            key = own | np.uint64(used)
            place = np.int64((key * mix) >> shift)
            step = 0
            while rows[place] >= 0 and keys[place] != key:
                step += 1
                place = (place + step) & mask
            if rows[place] >= 0:
                count, kind = users[rows[place]], kind_of[used]
                if count >= _MIN_SHARING and not (count >= site and is_place[kind]):
                    purity = count / max(degree_of[used], count)
                    best[kind] = max(best[kind], purity)
            edge = edges.next[edge]
        share = min(uses[number] / max(events_at[at], 1), 1.0)
        cohort, young = 0.0, 0.0
        mates: Any = 0
        created = np.int64(created_at[at])
        if created >= 0:
            low = np.searchsorted(opened, created - MINUTES_PER_DAY)
            end = np.searchsorted(opened, created + MINUTES_PER_DAY, side="right")
            of_day = end - low - 1
            if len(opened) > 1:
                cohort = min(of_day / (len(opened) - 1), 1.0)
            mates = np.searchsorted(opened, created + NEAR, side="right")
            mates -= np.searchsorted(opened, created - NEAR) + 1
            if mates < MIN_BATCH_SHARE * of_day:
                mates = 0  # it was opened in a rush
            if 0 <= first_at[at] - created < MINUTES_PER_WEEK:
                young = 1.0
        kinds[:] = 0
        edge = heads[at, 0]
        while edge:
            used = edges.facet[edge]
            if home[used] == seat:
                kinds[kind_of[used]] += 1
            edge = edges.next[edge]
        templates = (kinds.max() - 1) / _TEMPLATES_SCALE
        software = (best[_TLS] + best[_CLIENT]) / 2
        times = np.int64(uses[number])
        out[number] = (
            scale.intercept
            + scale.uses * (by_uses[times] if times < len(by_uses) else 1.0)
            + scale.templates * min(templates, 1.0)
            + scale.share * share
            + scale.payment * best[_PAYMENT]
            + scale.network * best[_NETWORK]
            + scale.software * software
            + scale.cohort * cohort
            + scale.batch * (by_mates[mates] if mates < len(by_mates) else 1.0)
            + scale.young * young
        )
        facts[number, 0] = best[_PAYMENT]
        facts[number, 1] = best[_NETWORK]
        facts[number, 2] = software
        facts[number, 3] = share
        facts[number, 4] = templates
        facts[number, 5] = cohort
        facts[number, 6] = mates
        facts[number, 7] = young
