"""Features of groups lie in 0 to 1 and do not depend on any order."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import Use, build, use_lists

from streams.campaigns.group import Group
from streams.campaigns.group_features import (
    FEATURES,
    group_features,
    has_owners,
)
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import LinkGraph


def _again(graph: LinkGraph, group: Group) -> tuple[LinkGraph, Group]:
    """Build the same in the opposite order, as a restart would."""
    copy = LinkGraph()
    for facet in reversed([*graph.facets]):
        copy.facets[facet] = graph.facets[facet].copy()
    for account in reversed([*graph.accounts]):
        node = graph.accounts[account].copy()
        edges = dict(reversed(node.edges.items()))
        node = msgspec.structs.replace(node, edges=edges)
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
        for least in range(1, 9):
            assert has_owners(graph, group, least) == (len(owners) >= least)


@given(use_lists(), st.data())
def test_further_accounts_of_an_organization_change_nothing(
    uses: list[Use], data: st.DataObject
) -> None:
    graph, groups = build(uses)
    for group in groups.by_number.values():
        before = group_features(graph, group)
        whose = data.draw(st.sampled_from(sorted(group.uses)))
        for number in range(data.draw(st.integers(1, 5))):
            copy = msgspec.structs.replace(graph.accounts[whose].copy(), edges={})
            graph.put_account(f"{whose}-{number}", copy)
            group.uses[f"{whose}-{number}"] = group.uses[whose]
        assert group_features(graph, group) == before


def _apart(uses: list[Use]) -> tuple[LinkGraph, Groups]:
    """Build a graph whose accounts have an owner each."""
    graph, groups = build(uses)
    for number, node in enumerate(graph.accounts.values()):
        node.owner = number
    return graph, groups


def _features(*uses: Use) -> dict[str, float]:
    graph, groups = _apart(list(uses))
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
    once = _features(*(_use(n) for n in range(9)))["lockstep"]
    apart = _features(*(_use(n, first=60 * n) for n in range(9)))["lockstep"]
    shifts = _features(*(_use(n, first=600 * (n % 2)) for n in range(20)))["lockstep"]
    # In the only half hour of all, or in one of two: no more than chance.
    assert (once, apart, shifts) == (0, 0, 0)
    others = [_use(n, first=60 * (n - 20)) for n in range(20, 24)]
    often = [_use(n, first=600)._replace(slots=0b1000100) for n in range(8)]
    assert 0.2 < _features(*others, *often)["lockstep"] < 1


def test_young_accounts_and_those_created_together_show() -> None:
    features = _features(*(_use(n) for n in range(6)))
    assert (features["young"], features["burst"]) == (1, 0.5)
    assert _features(*(_use(n, first=15_000) for n in range(6)))["young"] == 0
    assert _features(_use(7), _use(7, 2))["young"] == 0  # creation unknown


def _created(*minutes: int) -> tuple[float, float]:
    graph, groups = _apart([_use(n) for n in range(len(minutes))])
    for account, minute in zip(sorted(graph.accounts), minutes, strict=True):
        graph.accounts[account].created = minute
    features = group_features(graph, groups.by_number[1])
    return features["batches"], features["batch_days"]


def test_accounts_opened_in_batches_show_and_a_rush_does_not() -> None:
    hours, day = _created(10, 20, 90_000, 90_010, 300_000, 300_009)
    assert hours > 0.5
    assert day > hours
    assert _created(*range(0, 1400, 200)) == (0, 0)
    assert max(_created(*range(0, 2800, 5))) < 0.02


def _infrastructure(kind: int, facets: list[int]) -> dict[str, float]:
    graph, groups = _apart([_use(n) for n in range(len(facets))])
    for account, facet in zip(sorted(graph.accounts), facets, strict=True):
        held = [0, 0, 0, 0]
        held[kind] = facet
        graph.accounts[account].infrastructure = (held[0], held[1], held[2], held[3])
    return group_features(graph, groups.by_number[1])


def test_one_payer_and_one_place_are_told_whoever_else_has_them() -> None:
    assert _infrastructure(3, [5, 5, 5, 6])["payer"] == 0.75
    assert _infrastructure(3, [0, 0, 0, 6])["payer"] == 0.25
    assert _infrastructure(3, [0, 0, 0, 0])["payer"] == 0
    assert _infrastructure(0, [5, 5, 5, 5])["place"] == 1


def test_co_use_counts_templates_that_the_accounts_have_in_common() -> None:
    one = [_use(n) for n in range(6)]
    assert _features(*one)["co_use"] == 0
    both = [*one, *(_use(n, 2) for n in range(6))]
    assert _features(*both)["co_use"] == pytest.approx(1 / 3, abs=1e-6)
    # Another kind of facet tells of the same template.
    tail = [*one, *(_use(n, 3) for n in range(6))]
    assert _features(*tail)["co_use"] == 0
    strangers = [*one, *(_use(n, 2) for n in range(2))]
    assert _features(*strangers)["co_use"] == 0
