"""Which memberships of suspect facets a batch tells of, and what it tells of them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.engine.facet_batch import FacetBatch
from streams.engine.link_news import LinkNews
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.whole_rows import put_rows, take_rows
from streams.models.families import FAMILIES

__all__ = ["link_news"]

_DECIMALS: Final = 6
"""Of the share of distinct fillings, as it travels."""

Column = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


def link_news(batch: FacetBatch) -> LinkNews:
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
    minute = minute[touched]
    member = take_rows(batch.after, place_of[touched])
    if len(batch.newly):
        other_minute, others = _all_members(batch)
        minute = np.concatenate([minute, other_minute])
        member = np.concatenate([member, others])
    texts: dict[str, list[str]] = {}
    link = _links(batch, minute, member, texts)
    use = _uses(batch, texts)
    traffic = LinkNews.nothing().tables["traffic"]
    return LinkNews({"link": link, "use": use, "traffic": traffic}, texts)


def _uses(batch: FacetBatch, texts: dict[str, list[str]]) -> dict[str, Column]:
    """Tell which models the uses of suspect templates went to, minute by minute."""
    minute, model, uses, owners, owner = batch.model_uses()
    texts["model"] = batch.news.texts["model"]
    number = batch.facet_of[minute]
    return {
        "minute": batch.minute_of[minute].astype("<i4"),
        "facet": batch.facets.rows["hash"][number],
        "count": uses.astype("<u4"),
        "owners": owners.astype("<u4"),
        "owner": owner.astype("<u8"),
        "model": model.astype("<u4"),
    }


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


def _links(
    batch: FacetBatch,
    minute: Ints,
    member: npt.NDArray[Any],
    texts: dict[str, list[str]],
) -> dict[str, Column]:
    facets, number = batch.facets, batch.facet_of[minute]
    degree = np.maximum(batch.degree_at, batch.members_at)[minute]
    most = batch.exchanges_at[minute, None] < 2 * batch.families_at[minute]
    names, name = np.unique(number, return_inverse=True)
    texts["name"] = [facets.names[at] for at in names.tolist()]
    accounts, account = np.unique(member["account"], return_inverse=True)
    texts["account"] = [batch.members.accounts[at] for at in accounts.tolist()]
    own = member["infrastructure"]
    return {
        "minute": batch.minute_of[minute].astype("<i4"),
        "facet": facets.rows["hash"][number],
        "kind": facets.rows["kind"][number],
        "degree": degree.astype("<u4"),
        "samples": batch.samples_at[minute].astype("<u4"),
        "distinct": _rounded(batch.shares_at[minute]),
        "families": (most << np.arange(len(FAMILIES))).sum(axis=1).astype("<u4"),
        **{name: member[name] for name in _MEMBER_FIELDS},
        **{kind: own[:, at] for at, kind in enumerate(INFRASTRUCTURE_KINDS)},
        "account": account.astype("<u4"),
        "name": name.astype("<u4"),
    }


_MEMBER_FIELDS: Final = (
    *("owner", "created", "first", "last", "count", "events", "templated"),
    *("likeness", "slots"),
)


def _rounded(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round as Python does: numpy's last digit is another one now and then."""
    distinct, which = np.unique(shares, return_inverse=True)
    rounded = [round(share, _DECIMALS) for share in distinct.tolist()]
    return np.array(rounded, np.float64)[which]
