"""Which memberships of suspect facets a batch tells of, and the rows that tell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.engine.facet_batch import FacetBatch
from streams.engine.link_rows import LinkTuple, model_row
from streams.features.whole_rows import put_rows, take_rows
from streams.models.families import FAMILIES

__all__ = ["link_rows"]

_DECIMALS: Final = 6
"""Of the share of distinct fillings, as it travels."""

Ints = npt.NDArray[np.int64]


def link_rows(batch: FacetBatch) -> list[LinkTuple]:
    """Tell of the members of suspect facets that a batch touched.

    When a facet becomes suspect, all its members are told of as they are at the end of
    that minute; later, each one in the minutes in which it used the facet. Call it
    before the batch is written.
    """
    place_of = np.zeros(len(batch.by_member), np.int64)
    place_of[batch.by_member] = np.arange(len(batch.by_member))
    minute = batch.minute_at
    suspect = batch.since[batch.facet_at[minute]]
    touched = np.flatnonzero(suspect < minute)
    found = [_rows(batch, minute[touched], take_rows(batch.after, place_of[touched]))]
    if len(batch.newly):
        found.append(_rows(batch, *_all_members(batch)))
    rows = [row for part in found for row in part]
    rows += _model_rows(batch)
    rows.sort()
    return rows


def _model_rows(batch: FacetBatch) -> Iterator[LinkTuple]:
    """Tell which models the uses of suspect templates went to, minute by minute."""
    minute, model, uses, owners, owner = batch.model_uses()
    number = batch.facet_of[minute]
    names = batch.news.texts["model"]
    for at, facet, of, *count in zip(
        batch.minute_of[minute].tolist(),
        batch.facets.rows["hash"][number].tolist(),
        model.tolist(),
        uses.tolist(),
        owners.tolist(),
        owner.tolist(),
        strict=True,
    ):
        yield model_row(at, facet, names[of], *count)


def _all_members(batch: FacetBatch) -> tuple[Ints, npt.NDArray[Any]]:
    """Give the members of newly suspect facets, with the minute of the suspicion."""
    members, facets = batch.members, batch.facets
    minute_of_facet = np.full(len(facets), -1, np.int64)
    minute_of_facet[batch.facet_of[batch.newly]] = batch.newly
    places = members.of_facets(minute_of_facet >= 0)
    minute = minute_of_facet[members.rows["facet"][places]]
    # The last use up to that minute, if there is one in this batch.
    group_of = np.full(len(members), -1, np.int64)
    group_of[batch.place] = np.arange(len(batch.place))
    group = group_of[places]
    lengths = np.diff(np.append(batch.member_begin, len(batch.after)))
    label = np.repeat(np.arange(len(lengths)), lengths)
    key = label << 32 | batch.after["last"].astype(np.int64)
    sought = np.maximum(group, 0) << 32 | batch.minute_of[minute]
    last = np.searchsorted(key, sought, "right") - 1
    here = (group >= 0) & (last >= batch.member_begin[np.maximum(group, 0)])
    rows = take_rows(members.rows, places)
    put_rows(rows, np.flatnonzero(here), take_rows(batch.after, last[here]))
    known = np.flatnonzero(here | (places < batch.joined))
    return minute[known], take_rows(rows, known)


def _rows(batch: FacetBatch, minute: Ints, member: npt.NDArray[Any]) -> list[LinkTuple]:
    facets = batch.facets
    number = batch.facet_of[minute]
    shares = {
        at: round(share, _DECIMALS)
        for at, share in _few(minute, batch.shares_at).items()
    }
    degree = np.maximum(batch.degree_at, batch.members_at)[minute]
    most = batch.exchanges_at[minute, None] < 2 * batch.families_at[minute]
    families = (most << np.arange(len(FAMILIES))).sum(axis=1)
    accounts = batch.members.accounts
    columns: list[Any] = [
        batch.minute_of[minute].tolist(),
        facets.rows["hash"][number].tolist(),
        map(accounts.__getitem__, member["account"].tolist()),
        facets.rows["kind"][number].tolist(),
        map(facets.names.__getitem__, number.tolist()),
        degree.tolist(),
        batch.exchanges_at[minute].tolist(),
        batch.samples_at[minute].tolist(),
        map(shares.__getitem__, minute.tolist()),
        map(_FAMILY_LISTS.__getitem__, families.tolist()),
    ]
    columns += [member[name].tolist() for name in _MEMBER_FIELDS]
    return list(zip(*columns, strict=True))


_MEMBER_FIELDS: Final = (
    *("owner", "created", "first", "last", "count", "events", "templated"),
    *("likeness", "slots", "infrastructure"),
)


def _few(at: Ints, values: npt.NDArray[np.float64]) -> dict[int, float]:
    distinct = np.unique(at)
    return dict(zip(distinct.tolist(), values[distinct].tolist(), strict=True))


_FAMILY_LISTS: Final = [
    sorted(name for bit, name in enumerate(FAMILIES) if code >> bit & 1)
    for code in range(1 << len(FAMILIES))
]
