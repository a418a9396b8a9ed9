"""What distinguishes coordinated accounts from people who happen to use one template.

Each feature lies in 0 to 1. None of them accuses by itself: a class shares a network,
a harness shares prompts, a company shares a card. They are compared with reference
groups of the same size at the same look, and merged as evidence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import reduce
from itertools import combinations
from operator import or_
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.campaigns.creation_batches import batch_pairs, batched_accounts
from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_loops import common_loop, strongest_loop
from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_WEEK
from streams.features.account_row import FACET_KINDS, NETWORK, PAYMENT
from streams.features.segments import run_starts

__all__ = ["FEATURES", "MIN_MIXING", "group_features", "has_owners", "is_mixed"]

FEATURES: Final = (
    "payment",  # accounts that share a payment token hardly anyone else uses
    "network",  # … a network
    "tls",  # … a TLS fingerprint
    "client",  # … a client
    "payer",  # accounts that have the commonest payment
    "place",  # accounts that were last seen on the commonest network
    "sharing_crowd",  # how many accounts share payments or networks, logarithmic
    "young_crowd",  # how many accounts are young, logarithmic
    "young",  # accounts that began within a week of their creation
    "burst",  # accounts that were created within the same two days
    "batches",  # surprise at accounts opened within half an hour, among those hours'
    "batch_days",  # … among that day's, or at the pairs of them
    "even",  # how evenly the work is spread over the accounts
    "lockstep",  # half hours in which accounts are active together, beyond chance
    "complementary",  # how few fillings repeat: a split list of tasks
    "co_use",  # how many templates the accounts have in common, logarithmic
    "templated",  # share of the accounts' traffic that repeats a template
    "likeness",  # mean extraction-likeness of the accounts
    "mixing",  # of groups by infrastructure: several payments and networks, mixed
)

_HOURS_AROUND: Final = 360
_DAY_AROUND: Final = MINUTES_PER_DAY
"""Minutes around an account whose sign-ups tell how busy that time was."""
_BURST_MINUTES: Final = 2 * MINUTES_PER_DAY
_MIN_SHARING: Final = 2
_MIN_COMMON: Final = 3
"""Accounts of the group that must use another template before it counts as common."""
_CO_USE_SCALE: Final = 3  # log2 of 8 templates
MIN_MIXING: Final = 0.2
"""Share of a group's accounts that must have payments in common, and networks, and be
beyond the commonest of each. Below it one customer, one place or one popular network
explains the group, and it is not tested."""

_PAIRED_ACCOUNTS: Final = 24
"""Accounts compared pairwise in time: 276 pairs bound the cost by a millisecond."""
_LOCKSTEP_SCALE: Final = 20.0
"""Standard deviations of chance meetings that count as 1."""
_FEWEST_REPEATS: Final = 0.01
"""The linear-counting estimate cannot tell fewer repeats apart from none."""
_CROWD_SCALE: Final = 10  # log2 of 1,024 accounts
_SLOT_MINUTES: Final = 30

Ints = npt.NDArray[np.int64]


def has_owners(graph: LinkGraph, group: Group, least: int) -> bool:
    """Tell whether a group has so many owners: organizations, or accounts without."""
    numbers, owner, owners = graph.numbers, graph.account.at.owner, set[int]()
    for account in group.uses:
        owners.add(int(owner[numbers[account]]))
        if len(owners) >= least:
            return True
    return False


def is_mixed(graph: LinkGraph, group: Group) -> bool:
    """Tell whether a group has the feature "mixing", without the other features."""
    accounts, _ = _one_of_each_owner(graph, group)
    features = _commonest_places(graph, accounts)
    if _mixing(features | {"payment": 1.0, "network": 1.0}) == 0.0:
        return False  # whatever they share: most of one place or payment ends here
    features |= {"payment": 0.0, "network": 0.0} | _sharing(graph, accounts)
    return _mixing(features) > 0.0


def group_features(graph: LinkGraph, group: Group) -> dict[str, float]:
    """Describe a group; names as in `FEATURES`, values 0 to 1.

    Accounts of one organization count as one, which is told by the account that uses
    the templates most: that they share a card, a network and a day on which they were
    opened is no coordination.
    """
    accounts, uses = _one_of_each_owner(graph, group)
    at = graph.account.at
    features = dict.fromkeys(FEATURES, 0.0)
    features.update(_sharing(graph, accounts))
    sharing = max(features["payment"], features["network"]) * len(accounts)
    features["sharing_crowd"] = _crowd(sharing)
    created = at.created[accounts].astype(np.int64)
    dated = created >= 0
    age = at.first[accounts][dated] - created[dated]
    features["young"] = _share((age >= 0) & (age < MINUTES_PER_WEEK))
    features["young_crowd"] = _crowd(features["young"] * len(accounts))
    features.update(_commonest_places(graph, accounts))
    opened: list[int] = np.sort(created[dated]).tolist()
    features["batches"] = batched_accounts(opened, _HOURS_AROUND)
    features["batch_days"] = max(
        batched_accounts(opened, _DAY_AROUND), batch_pairs(opened, _HOURS_AROUND)
    )
    features["burst"] = _burst(opened)
    features["even"] = _evenness(uses.tolist())
    features["lockstep"] = _lockstep(graph, group, accounts)
    if group.infrastructure:
        features["co_use"] = _facets_each(graph, group, accounts)
        features["mixing"] = _mixing(features)
    else:
        features["co_use"] = _co_use(graph, group, accounts)
        features["complementary"] = _complementary(graph, group)
    templated = at.templated[accounts] / np.maximum(at.events[accounts], 1)
    features["templated"] = _mean(templated.tolist())
    likeness = at.likeness[accounts].tolist()
    features["likeness"] = _mean([_squash(each / 100) for each in likeness])
    return {name: round(value, 6) for name, value in features.items()}


def _one_of_each_owner(graph: LinkGraph, group: Group) -> tuple[Ints, Ints]:
    """Choose accounts, by number, and give their uses, in no particular order."""
    accounts = graph.numbers_of(group.uses)
    uses = np.fromiter(group.uses.values(), np.int64, len(accounts))
    owners = graph.account.at.owner[accounts]
    distinct, first = np.unique(owners, return_index=True)
    if len(distinct) < len(owners):
        names = [graph.names[account] for account in accounts.tolist()]
        ranks = np.empty(len(names), np.int64)
        ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        # Of each owner the account with most uses; of several, the first by name.
        order = np.lexsort((ranks, -uses, owners))
        first = order[run_starts(owners[order])]
    return accounts[first], uses[first]


def _sharing(graph: LinkGraph, accounts: Ints) -> dict[str, float]:
    """Measure shared infrastructure, discounted by how many others use it.

    A facet counts with its members in the group times its purity: the share of all
    its accounts that are in the group. A carrier's network has a purity near zero.
    """
    facets, users = graph.users_of(accounts, 1)
    facets, users = facets[users >= _MIN_SHARING], users[users >= _MIN_SHARING]
    at = graph.facet.at
    order = np.argsort(at.hash[facets])
    facets, users = facets[order], users[order]
    weights = (users * graph.purities(facets, users)).tolist()
    total: dict[str, float] = {}
    for kind, weight in zip(at.kind[facets].tolist(), weights, strict=True):
        name = FACET_KINDS[kind]
        total[name] = total.get(name, 0.0) + weight
    return {kind: min(value / len(accounts), 1.0) for kind, value in total.items()}


def _commonest_places(graph: LinkGraph, accounts: Ints) -> dict[str, float]:
    held = graph.account.at.infrastructure[accounts]
    return {
        "payer": _commonest(held[:, PAYMENT]),
        "place": _commonest(held[:, NETWORK]),
    }


def _commonest(facets: npt.NDArray[np.uint64]) -> float:
    """Share of the accounts with the commonest facet, whoever else has it; 0: none."""
    counts = Counter(facets.tolist())
    del counts[0]
    return max(counts.values(), default=0) / max(len(facets), 1)


def _co_use(graph: LinkGraph, group: Group, accounts: Ints) -> float:
    """Mean logarithm of the templates that an account shares with the group.

    One template has several facets, so those of each kind are counted by themselves. A
    template of others, too, counts as far as its users are in the group.
    """
    facets, users = graph.users_of(accounts, 0)
    at, size = graph.facet.at, len(graph.facet_names)
    own = at.home[facets] == graph.seat(group.number)
    others = users / np.maximum(at.members[facets], 1)
    weights, ranks = np.zeros(size), np.zeros(size, np.int64)
    weights[facets] = np.where(own, 1.0, np.where(users >= _MIN_COMMON, others, 0.0))
    ranks[facets[np.argsort(at.hash[facets])]] = np.arange(len(facets))
    common = np.empty(len(accounts))
    walked = graph.account.at.heads, graph.edge.at, at.kind
    common_loop(*walked, ranks, weights, accounts, common)
    logarithms = [math.log2(max(each, 1.0)) / _CO_USE_SCALE for each in common.tolist()]
    return min(_mean(logarithms), 1.0)


def _mixing(features: Mapping[str, float]) -> float:
    mixing = min(
        features["payment"],
        features["network"],
        1 - features["payer"],
        1 - features["place"],
    )
    return mixing if mixing >= MIN_MIXING else 0.0


def _facets_each(graph: LinkGraph, group: Group, accounts: Ints) -> float:
    """Mean logarithm of the group's payments and networks that an account uses."""
    used = graph.facets_of(accounts, 1)
    account = np.repeat(np.arange(len(accounts)), graph.account.at.links[accounts, 1])
    own = graph.facet.at.home[used] == graph.seat(group.number)
    counts = np.bincount(account[own], minlength=len(accounts)).tolist()
    logarithms = [math.log2(max(count, 1)) for count in counts]
    return min(_mean(logarithms) / _CO_USE_SCALE, 1.0)


def _burst(created: list[int]) -> float:
    if len(created) < _MIN_SHARING:
        return 0.0
    best = start = 0
    for stop, minute in enumerate(created):
        while minute - created[start] > _BURST_MINUTES:
            start += 1
        best = max(best, stop - start + 1)
    return best / len(created)


def _evenness(uses: list[int]) -> float:
    mean = _mean([float(count) for count in uses])
    if mean == 0:
        return 0.0
    variance = _mean([(count - mean) ** 2 for count in uses])
    return 1 / (1 + math.sqrt(variance) / mean)


def _lockstep(graph: LinkGraph, group: Group, accounts: Ints) -> float:
    at, edge = graph.account.at, graph.edge.at
    templated = at.templated[accounts].astype(np.int64)
    order = np.lexsort((at.owner[accounts], -templated))
    found = np.empty(_PAIRED_ACCOUNTS, np.int64)
    walked = at.heads, edge, graph.facet.at.home
    seat = graph.seat(group.number)
    found = found[: strongest_loop(*walked, accounts[order], seat, found)]
    lasts = (edge.last[found] // _SLOT_MINUTES).tolist()
    newest = max(lasts, default=0)
    # Bit i of a mask: active i half hours before the newest use of any of them. What
    # one account did before the window of another's mask cannot be compared.
    bits = edge.slots[found].tolist()
    masks = [mask << (newest - last) for mask, last in zip(bits, lasts, strict=True)]
    active = [mask.bit_count() for mask in masks]
    slots = reduce(or_, masks, 0).bit_count()
    met = sum((one & other).bit_count() for one, other in combinations(masks, 2))
    # As many meetings as accounts would have that choose among the group's half hours.
    pairs = (sum(active) ** 2 - sum(count**2 for count in active)) / 2
    expected = pairs / max(slots, 1)
    excess: float = (met - expected) / math.sqrt(expected + 1)
    return min(max(excess / _LOCKSTEP_SCALE, 0.0), 1.0)


def _complementary(graph: LinkGraph, group: Group) -> float:
    at = graph.facet.at
    facets = [graph.facet_numbers[facet] for facet in group.facets]
    columns = at.samples[facets].tolist(), at.distinct[facets].tolist()
    samples = list(zip(*columns, strict=True))
    total = sum(count for count, _ in samples)
    repeated = 1 - sum(count * share for count, share in samples) / max(total, 1)
    # On a logarithmic scale: what tells is one repeat in a hundred from one in ten.
    return math.log10(max(repeated, _FEWEST_REPEATS)) / math.log10(_FEWEST_REPEATS)


def _crowd(accounts: float) -> float:
    return min(math.log2(1 + accounts) / _CROWD_SCALE, 1.0)


def _squash(log_odds: float) -> float:
    return 1 / (1 + math.exp(-max(min(log_odds, 30.0), -30.0)))


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0
