"""What distinguishes coordinated accounts from people who happen to use one template.

Each feature lies in 0 to 1. None of them accuses by itself: a class shares a network,
a harness shares prompts, a company shares a card. They are compared with reference
groups of the same size at the same look, and merged as evidence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import chain, combinations
from operator import or_
from typing import Final

from streams.campaigns.creation_batches import batch_pairs, batched_accounts
from streams.campaigns.group import Group
from streams.campaigns.link_graph import AccountNode, LinkGraph
from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_WEEK
from streams.features.account_row import NETWORK, PAYMENT, TEMPLATE_KINDS

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


def has_owners(graph: LinkGraph, group: Group, least: int) -> bool:
    """Tell whether a group has so many owners: organizations, or accounts without."""
    accounts, owners = graph.accounts, set[int]()
    for account in group.uses:
        owners.add(accounts[account].owner)
        if len(owners) >= least:
            return True
    return False


def is_mixed(graph: LinkGraph, group: Group) -> bool:
    """Tell whether a group has the feature "mixing", without the other features."""
    accounts = _one_of_each_owner(graph, group)
    nodes = [graph.accounts[account] for account in accounts]
    features = _commonest_places(nodes)
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
    accounts = _one_of_each_owner(graph, group)
    nodes = [graph.accounts[account] for account in accounts]
    uses = [group.uses[account] for account in accounts]
    features = dict.fromkeys(FEATURES, 0.0)
    features.update(_sharing(graph, accounts))
    sharing = max(features["payment"], features["network"]) * len(accounts)
    features["sharing_crowd"] = _crowd(sharing)
    features["young"] = _share(
        0 <= graph.sorted_edges(account).first - node.created < MINUTES_PER_WEEK
        for account, node in zip(accounts, nodes, strict=True)
        if node.created >= 0
    )
    features["young_crowd"] = _crowd(features["young"] * len(accounts))
    features.update(_commonest_places(nodes))
    created = sorted(node.created for node in nodes if node.created >= 0)
    features["batches"] = batched_accounts(created, _HOURS_AROUND)
    features["batch_days"] = max(
        batched_accounts(created, _DAY_AROUND), batch_pairs(created, _HOURS_AROUND)
    )
    features["burst"] = _burst(created)
    features["even"] = _evenness(uses)
    features["lockstep"] = _lockstep(graph, group, nodes)
    if group.infrastructure:
        features["co_use"] = _facets_each(graph, group, accounts)
        features["mixing"] = _mixing(features)
    else:
        features["co_use"] = _co_use(graph, group, accounts)
        features["complementary"] = _complementary(graph, group)
    features["templated"] = _mean([n.templated / max(n.events, 1) for n in nodes])
    features["likeness"] = _mean([_squash(node.likeness / 100) for node in nodes])
    return {name: round(value, 6) for name, value in features.items()}


def _one_of_each_owner(graph: LinkGraph, group: Group) -> list[str]:
    chosen: dict[int, str] = {}
    for account in sorted(group.uses):
        held = chosen.setdefault(graph.accounts[account].owner, account)
        if group.uses[account] > group.uses[held]:
            chosen[graph.accounts[account].owner] = account
    return sorted(chosen.values())


def _sharing(graph: LinkGraph, accounts: list[str]) -> dict[str, float]:
    """Measure shared infrastructure, discounted by how many others use it.

    A facet counts with its members in the group times its purity: the share of all
    its accounts that are in the group. A carrier's network has a purity near zero.
    """
    used = (graph.sorted_edges(account).infrastructure for account in accounts)
    users = Counter(chain.from_iterable(used))
    total: dict[str, float] = {}
    for facet in sorted(users):
        count, node = users[facet], graph.facets[facet]
        if count >= _MIN_SHARING:
            weight = count * node.purity(count)
            total[node.kind_name] = total.get(node.kind_name, 0.0) + weight
    return {kind: min(value / len(accounts), 1.0) for kind, value in total.items()}


def _commonest_places(nodes: list[AccountNode]) -> dict[str, float]:
    return {
        "payer": _commonest(node.infrastructure[PAYMENT] for node in nodes),
        "place": _commonest(node.infrastructure[NETWORK] for node in nodes),
    }


def _commonest(facets: Iterable[int]) -> float:
    """Share of the accounts with the commonest facet, whoever else has it; 0: none."""
    counts = Counter(facets)
    accounts = counts.total()
    del counts[0]
    return max(counts.values(), default=0) / max(accounts, 1)


def _co_use(graph: LinkGraph, group: Group, accounts: list[str]) -> float:
    """Mean logarithm of the templates that an account shares with the group.

    One template has several facets, so those of each kind are counted by themselves. A
    template of others, too, counts as far as its users are in the group.
    """
    users = Counter(chain.from_iterable(map(graph.templates_of, accounts)))
    own = set(group.facets)
    weight = {
        facet: 1.0 if facet in own else count / max(len(graph.members[facet]), 1)
        for facet, count in sorted(users.items())
        if facet in own or count >= _MIN_COMMON
    }
    logarithms = []
    for account in accounts:
        common = [0.0] * len(TEMPLATE_KINDS)
        for facet in sorted(graph.templates_of(account)):
            common[graph.facets[facet].kind] += weight.get(facet, 0.0)
        logarithms.append(math.log2(max(*common, 1.0)) / _CO_USE_SCALE)
    return min(_mean(logarithms), 1.0)


def _mixing(features: Mapping[str, float]) -> float:
    mixing = min(
        features["payment"],
        features["network"],
        1 - features["payer"],
        1 - features["place"],
    )
    return mixing if mixing >= MIN_MIXING else 0.0


def _facets_each(graph: LinkGraph, group: Group, accounts: list[str]) -> float:
    """Mean logarithm of the group's payments and networks that an account uses."""
    own = set(group.facets)
    logarithms = [
        math.log2(max(len(own & graph.accounts[account].edges.keys()), 1))
        for account in accounts
    ]
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


def _lockstep(graph: LinkGraph, group: Group, nodes: list[AccountNode]) -> float:
    chosen = []
    for node in sorted(nodes, key=lambda node: (-node.templated, node.owner)):
        edges = [
            edge
            for facet, edge in node.edges.items()
            if graph.facets[facet].group == group.number
        ]
        if edges:
            chosen.append(max(edges, key=lambda e: (e.count, e.last)))
        if len(chosen) == _PAIRED_ACCOUNTS:
            break
    newest = max((edge.last // _SLOT_MINUTES for edge in chosen), default=0)
    # Bit i of a mask: active i half hours before the newest use of any of them. What
    # one account did before the window of another's mask cannot be compared.
    masks = [e.slots << (newest - e.last // _SLOT_MINUTES) for e in chosen]
    active = [mask.bit_count() for mask in masks]
    slots = reduce(or_, masks, 0).bit_count()
    met = sum((one & other).bit_count() for one, other in combinations(masks, 2))
    # As many meetings as accounts would have that choose among the group's half hours.
    pairs = (sum(active) ** 2 - sum(count**2 for count in active)) / 2
    expected = pairs / max(slots, 1)
    excess = (met - expected) / math.sqrt(expected + 1)
    return min(max(excess / _LOCKSTEP_SCALE, 0.0), 1.0)


def _complementary(graph: LinkGraph, group: Group) -> float:
    samples = [
        (graph.facets[f].samples, graph.facets[f].distinct) for f in group.facets
    ]
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


def _share(flags: Iterable[bool]) -> float:
    return _mean([float(flag) for flag in flags])
