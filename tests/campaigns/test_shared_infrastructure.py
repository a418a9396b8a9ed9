"""Groups that begin with payments and networks: who starts one, and who joins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import put_link

from streams.campaigns.group_features import (
    FEATURES,
    MIN_MIXING,
    group_features,
    is_mixed,
)
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import ABSORBED, LinkGraph
from streams.campaigns.link_nodes import FacetNode
from streams.campaigns.shared_infrastructure import (
    MAX_JOINING_DEGREE,
    SharedInfrastructure,
)
from streams.features.account_row import FACET_KINDS

_NETWORK, _PAYMENT = (FACET_KINDS.index(kind) for kind in ("network", "payment"))
_TLS, _HEAD = (FACET_KINDS.index(kind) for kind in ("tls", "template_head"))

Uses = list[tuple[int, int]]
"""(account, facet) in the order of first use; facets above 100 are payments."""


class World:
    """A graph that grows as link rows come."""

    def __init__(self, *, owners: int = 1000) -> None:
        self.graph = LinkGraph()
        self.groups = Groups(self.graph)
        self.sharing = SharedInfrastructure(self.groups)
        self._owners = owners

    def use(self, account: int, facet: int, kind: int | None = None) -> None:
        name = f"account-{account}"
        if kind is None:
            kind = _PAYMENT if facet > 100 else _NETWORK
        if facet not in self.graph.facets:
            self.graph.facets[facet] = FacetNode(kind, f"name-{facet}", 0, 0, 0.0)
        network = payment = 0
        if name in self.graph.accounts:
            network, _, _, payment = self.graph.accounts[name].infrastructure
        network, payment = (network, facet) if facet > 100 else (facet, payment)
        own = {"owner": account % self._owners, "created": 100, "first": 200}
        own |= {"last": 200, "count": 1, "events": account + 1, "templated": 0}
        own |= {"likeness": 0, "slots": 1}
        put_link(self.groups, name, facet, own, (network, 0, 0, payment))
        known = self.graph.facets[facet]
        known.degree = max(known.degree, len(self.graph.members[facet]))

    def grow(self, *facets: int) -> None:
        for facet in facets or sorted(self.graph.facets):
            self.graph.facets[facet].next_joining = 0
            list(self.sharing.grow(facet, 300, lambda number: (0, 0, number)))

    def found(self) -> list[set[int]]:
        groups = sorted(self.groups.by_number.values(), key=lambda one: one.number)
        return [set(group.facets) for group in groups]


def _world(uses: Uses, **kinds: int) -> World:
    world = World(**kinds)
    for account, facet in uses:
        world.use(account, facet)
    world.grow()
    return world


_SPREAD: Uses = [
    use
    for account in range(24)
    for use in (
        (account, 101 + account % 4),
        (account, 1 + account // 4 % 6),
        (account, 1 + (account // 4 + 1) % 6),
    )
]
"""A campaign: no payment and network have more than two accounts in common."""


def test_a_campaign_spread_over_payments_and_networks_is_one_group() -> None:
    world = _world(_SPREAD)
    [group] = world.groups.by_number.values()
    assert set(group.facets) == {101, 102, 103, 104, 1, 2, 3, 4, 5, 6}
    assert group.infrastructure
    assert group.uses == {f"account-{n}": n + 1 for n in range(24)}
    assert group.exchanges == sum(range(1, 25))
    features = group_features(world.graph, group)
    assert features.keys() == set(FEATURES)
    assert features["mixing"] >= MIN_MIXING
    assert is_mixed(world.graph, group)
    assert features["complementary"] == 0


def test_a_traveller_joins_nobody_and_two_owners_do() -> None:
    apart: Uses = [(n, 101) for n in range(4)] + [(n, 102) for n in range(4, 8)]
    office = [(n, 1) for n in range(4)]
    assert _world([*apart, *office, (4, 1)]).found() == [{1, 101}, {102}]
    assert _world([*apart, *office, (4, 1), (5, 1)]).found() == [{1, 101, 102}]


def test_accounts_of_one_owner_count_as_one() -> None:
    uses: Uses = [(n, 101) for n in range(4)] + [(n, 102) for n in range(4, 8)]
    uses += [(n, 1) for n in (0, 2, 4, 6, 8)]
    assert _world(uses).found() == [{1, 101, 102}]
    assert _world(uses, owners=2).found() == [{1}, {101}, {102}]


def test_what_is_popular_joins_nobody() -> None:
    world = _world([(n, 101) for n in range(4)] + [(n, 102) for n in range(4, 8)])
    for account in range(8):
        world.use(account, 1)
    world.graph.facets[1].degree = 17  # most of its accounts have no evidence
    world.grow()
    assert world.found() == [{101}, {102}]
    world.graph.facets[1].degree = MAX_JOINING_DEGREE + 1
    world.grow()
    assert world.found() == [{101}, {102}]
    world.graph.facets[1].degree = 16
    world.grow()
    assert world.found() == [{1, 101, 102}]


@pytest.mark.parametrize("kind", [_TLS, _HEAD])
def test_other_kinds_start_no_group(kind: int) -> None:
    world = World()
    for account in range(9):
        world.use(account, 7, kind)
    world.grow()
    assert world.groups.by_number == {}
    assert world.sharing.group_of(7) is None


def test_one_customer_and_one_place_are_not_mixed() -> None:
    everybody = range(20)
    payer = [(n, 101) for n in everybody] + [(n, 1 + n % 3) for n in everybody]
    place = [(n, 1) for n in everybody] + [(n, 101 + n % 3) for n in everybody]
    for uses in (payer, place):
        world = _world(uses)
        [group] = world.groups.by_number.values()
        assert len(group.facets) == 4
        assert group_features(world.graph, group)["mixing"] == 0
        assert not is_mixed(world.graph, group)


def test_a_dropped_group_does_not_come_back() -> None:
    world = _world(_SPREAD)
    [group] = world.groups.by_number.values()
    world.sharing.drop(group)
    world.use(99, 101)
    world.grow()
    assert world.groups.by_number == {}
    assert {world.graph.facets[facet].group for facet in group.facets} == {ABSORBED}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30), st.sampled_from([*range(1, 7), *range(101, 105)])
        ),
        max_size=120,
    )
)
def test_groups_hold_what_their_facets_hold(uses: Uses) -> None:
    world = World()
    for account, facet in uses:
        world.use(account, facet)
        world.grow(facet)
        group = world.sharing.group_of(facet)
        if group is not None:
            number = world.graph.numbers[f"account-{account}"]
            world.groups.recount({group.number: [number]})
    taken = [facet for facets in world.found() for facet in facets]
    assert len(taken) == len(set(taken))
    for number, group in world.groups.by_number.items():
        members = {a for f in group.facets for a in world.graph.members[f]}
        assert set(group.uses) == members
        assert group.exchanges == sum(group.uses.values())
        mixing = group_features(world.graph, group)["mixing"]
        assert is_mixed(world.graph, group) == (mixing > 0)
        counted = group.uses.copy()
        accounts = world.graph.numbers_of(group.uses).tolist()
        world.groups.recount({number: accounts})
        assert group.uses == counted
        assert all(world.graph.facets[f].group == number for f in group.facets)
