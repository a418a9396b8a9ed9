"""What ties one account to a group, apart from having used one of its templates.

A template may be a sentence that honest people write as well. Whoever uses it but has
nothing else in common with the group is a bystander, and is compared with bystanders.
The payment or the network that nearly the whole group has is no tie either: one
customer or one place has them, and each of its accounts would be accused by them alike.
The client and its TLS fingerprint tie less than these do: all users of one program have
both in common, whether or not they know of each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from streams.campaigns.common_places import IS_PLACE
from streams.campaigns.facet_users import FacetUsers
from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.member_loops import FACTS, scores_loop
from streams.models.reference import ONE_SITE

__all__ = ["MEMBER_FEATURES", "GroupProfile", "MemberScale"]

MEMBER_FEATURES: Final = (
    "uses",  # templated exchanges of the account in the group, logarithmic
    "templates",  # how many of the group's templates it uses, beyond the first
    "share",  # share of the account's traffic that uses them
    "payment",  # share of those who have its payment that are the group's
    "network",  # the same of its network: of several, the purest
    "software",  # the same of its TLS fingerprint and its client, their mean
    "cohort",  # share of the group created within a day of the account
    "batch",  # accounts of the group opened in the same half hour, logarithmic
    "young",  # whether the account began within a week of its creation
)

_USES_SCALE: Final = 6  # log2 of 64 uses
_BATCH_SCALE: Final = 3  # log2 of 8 accounts
_DECIMALS: Final = 6

Ints = npt.NDArray[np.int64]
Facts = npt.NDArray[np.float64]


def _scaled(count: int, scale: int) -> float:
    return round(min(math.log2(1 + count) / scale, 1.0), _DECIMALS)


_USES: Final = tuple(_scaled(uses, _USES_SCALE) for uses in range(2**_USES_SCALE))
_MATES: Final = tuple(_scaled(mates, _BATCH_SCALE) for mates in range(2**_BATCH_SCALE))
"""Features by count, looked up; larger counts have 1.0."""
_USES_TABLE, _MATES_TABLE = np.array(_USES), np.array(_MATES)


class MemberScale(NamedTuple):
    """Weights of a linear score of the features, to be found without rounding them.

    ``slack`` is more than what rounding the features and the score to `_DECIMALS` can
    change of it: half a unit of the last place each, times the weights.
    """

    uses: float
    templates: float
    share: float
    payment: float
    network: float
    software: float
    cohort: float
    batch: float
    young: float
    intercept: float
    slack: float

    @classmethod
    def of(cls, weights: Mapping[str, float], intercept: float) -> Self:
        """Make it of weights by feature; those that are missing are 0.

        >>> round(MemberScale.of({"cohort": 5.0, "share": -2.0}, -6.0).slack, 6)
        8e-06
        """
        ordered = [weights.get(name, 0.0) for name in MEMBER_FEATURES]
        slack = 10.0**-_DECIMALS * (sum(map(abs, ordered)) + 1)
        return cls._make([*ordered, intercept, slack])


class GroupProfile:
    """A group as a whole, kept up to date for looking at its accounts one by one."""

    def __init__(
        self, graph: LinkGraph, group: Group, users: FacetUsers | None = None
    ) -> None:
        self._graph = graph
        self._group = group
        self._seat = graph.seat(group.number)
        self._created = np.zeros(0, np.int64)
        self._users = FacetUsers(graph) if users is None else users
        accounts = graph.numbers_of(group.uses)
        self.join(accounts)
        self._users.join(accounts, np.full(len(accounts), self._seat))

    def join(self, accounts: Ints) -> None:
        """Take in accounts, by number, that have become the group's."""
        created = self._graph.account.at.created[accounts].astype(np.int64)
        created = np.sort(created[created >= 0])
        places = np.searchsorted(self._created, created)
        self._created = np.insert(self._created, places, created)

    def look(self, accounts: Ints, scale: MemberScale) -> tuple[list[float], Facts]:
        """Look at accounts of the group, by number: give their scores and facts.

        A score differs by less than ``scale.slack`` from that of the features, which
        are rounded, and so is their score. See `member` for the facts.
        """
        scores, uses = np.empty((2, len(accounts)))
        facts = np.empty((len(accounts), FACTS))
        of_group, names = self._group.uses, self._graph.names
        uses[:] = [of_group[names[account]] for account in accounts.tolist()]
        at, facet = self._graph.account.at, self._graph.facet.at
        scores_loop(
            (at.created, at.first, at.events, at.heads),
            self._graph.edge.at,
            (facet.kind, facet.home, facet.degree),
            self._users.table.places,
            self._users.counts,
            self._created,
            (_USES_TABLE, _MATES_TABLE, IS_PLACE),
            scale,
            (self._seat, ONE_SITE * len(of_group)),
            accounts,
            uses,
            scores,
            facts,
        )
        found: list[float] = scores.tolist()
        return found, facts

    def member(self, account: str, facts: Facts | None = None) -> dict[str, float]:
        """Describe an account of the group; names as in `MEMBER_FEATURES`, 0 to 1.

        ``facts`` are what `look` has just told of it, one row; else it is looked at.
        """
        if facts is None:
            _, rows = self.look(self._graph.numbers_of((account,)), _NOTHING)
            facts = rows[0]
        payment, network, software, *others = facts.tolist()
        share, templates, cohort, mates, young = others
        uses = self._group.uses[account]
        return {
            "uses": _USES[uses] if uses < len(_USES) else 1.0,
            "templates": round(min(templates, 1.0), _DECIMALS),
            "share": round(share, _DECIMALS),
            "payment": round(payment, _DECIMALS),
            "network": round(network, _DECIMALS),
            "software": round(software, _DECIMALS),
            "cohort": round(cohort, _DECIMALS),
            "batch": _MATES[int(mates)] if mates < len(_MATES) else 1.0,
            "young": young,
        }


_NOTHING: Final = MemberScale.of({}, 0.0)
