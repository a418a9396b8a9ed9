"""Features of groups lie in 0 to 1 and do not depend on any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from random_graphs import Use, build, use_lists

from streams.campaigns.group import Group
from streams.campaigns.group_features import FEATURES, group_features, owner_count
from streams.campaigns.link_graph import LinkGraph


def _again(graph: LinkGraph, group: Group) -> tuple[LinkGraph, Group]:
    """Build the same in the opposite order, as a restart would."""
    copy = LinkGraph()
    for facet in reversed(graph.facets):
        copy.facets[facet] = graph.facets[facet]
    for account in reversed(graph.accounts):
        node = graph.accounts[account]
        edges = dict(reversed(node.edges.items()))
        node = type(node)(
            node.owner, node.created, node.events, node.templated, node.likeness, edges
        )
        copy.put_account(account, node)
    uses = dict(reversed(group.uses.items()))
    same = Group(
        group.number, group.first, group.facets, uses, group.exchanges, group.look
    )
    return copy, same


@given(use_lists())
def test_features_are_shares_and_know_no_order(uses: list[Use]) -> None:
    graph, groups = build(uses)
    for group in groups.by_number.values():
        features = group_features(graph, group)
        assert tuple(features) == FEATURES
        assert all(0 <= value <= 1 for value in features.values())
        assert group_features(*_again(graph, group)) == features
        owners = {graph.accounts[account].owner for account in group.uses}
        assert owner_count(graph, group) == len(owners)


def _features(*uses: Use) -> dict[str, float]:
    graph, groups = build(list(uses))
    return group_features(graph, groups.by_number[1])


def _use(account: int, facet: int = 1, times: int = 4, first: int = 0) -> Use:
    return Use(account, facet, times, first, 0, 0)


def test_sharing_is_discounted_by_strangers() -> None:
    templates = [_use(n) for n in range(4)]
    assert _features(*templates)["network"] == 0
    alone = [*templates, *(_use(n, 4, 3) for n in range(4))]
    assert _features(*alone)["network"] == 1
    crowded = [*templates, *(_use(n, 4, 3) for n in range(8))]
    assert _features(*crowded)["network"] == pytest.approx(0.5)


def test_evenness_tells_equal_shares_from_one_who_does_it_all() -> None:
    even = _features(*(_use(n, times=5) for n in range(6)))["even"]
    one = _features(_use(0, times=60), *(_use(n, times=1) for n in range(1, 6)))["even"]
    assert even == 1
    assert one < 0.4


def test_lockstep_tells_the_same_half_hours_from_others() -> None:
    together = _features(*(_use(n) for n in range(4)))["lockstep"]
    apart = _features(*(_use(n, first=60 * n) for n in range(4)))["lockstep"]
    assert (together, apart) == (1, 0)


def test_young_accounts_and_those_created_together_show() -> None:
    features = _features(*(_use(n) for n in range(6)))
    assert (features["young"], features["burst"]) == (1, 0.5)
    assert _features(*(_use(n, first=15_000) for n in range(6)))["young"] == 0
    assert _features(_use(7), _use(7, 2))["young"] == 0  # creation unknown
