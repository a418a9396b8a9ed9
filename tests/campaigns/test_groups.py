"""Groups count each account's templated exchanges, and merge without losing any."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import Use, build, use_lists

from streams.campaigns.campaign import campaign_id
from streams.campaigns.group import Group
from streams.campaigns.groups import MIN_SHARED_ACCOUNTS, Groups
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_views import facet_label


def _true_uses(graph: LinkGraph, group: Group) -> dict[str, int]:
    """Count from the edges: kinds say the same exchanges, so the largest speaks."""
    counted: dict[str, int] = {}
    for account, node in graph.accounts.items():
        by_kind: dict[int, int] = {}
        for facet in group.facets:
            if facet in node.edges:
                kind = graph.facets[facet].kind
                by_kind[kind] = by_kind.get(kind, 0) + node.edges[facet].count
        if by_kind:
            counted[account] = max(by_kind.values())
    return counted


def _check(graph: LinkGraph, groups: Groups) -> None:
    for number, group in groups.by_number.items():
        assert number == group.number
        assert group.uses == _true_uses(graph, group)
        assert group.exchanges == sum(group.uses.values())
        assert all(graph.facets[facet].group == number for facet in group.facets)
    listed = sorted(f for group in groups.by_number.values() for f in group.facets)
    assert listed == sorted(f for f, node in graph.facets.items() if node.is_template)


def _check_shared(graph: LinkGraph, groups: Groups) -> None:
    """What is kept of the accounts' templates must follow every change."""
    linked: Counter[int] = Counter()
    for account in graph.accounts:
        templates = graph.templates_of(account)
        linked.update({graph.facets[facet].group for facet in templates})
    assert groups.shared(graph.accounts) == linked


@given(use_lists(), use_lists())
def test_uses_are_those_of_the_edges(uses: list[Use], later: list[Use]) -> None:
    graph, groups = build(uses)
    _check(graph, groups)
    _check_shared(graph, groups)
    build(later, graph, groups)
    _check(graph, groups)
    _check_shared(graph, groups)
    before = {number: dict(one.uses) for number, one in groups.by_number.items()}
    groups.recount_all()
    assert {n: one.uses for n, one in groups.by_number.items()} == before
    _check(graph, groups)
    _check_shared(graph, groups)


@given(use_lists(), st.randoms(use_true_random=False))
def test_a_merge_loses_nothing(uses: list[Use], chance: object) -> None:
    graph, groups = build(uses)
    while len(groups.by_number) > 1:
        numbers = sorted(groups.by_number)
        chance.shuffle(numbers)  # type: ignore[attr-defined] # Hypothesis' Random
        target, source = (groups.by_number[number] for number in numbers[:2])
        look, first = max(target.look, source.look), min(target.first, source.first)
        groups.merge(target, source)
        assert (target.look, target.first) == (look, first)
        assert source.number not in groups.by_number
        _check(graph, groups)
        _check_shared(graph, groups)
    [last] = groups.by_number.values()
    users = {name for name in graph.accounts if any(graph.templates_of(name))}
    assert set(last.uses) == users


@given(use_lists())
def test_partners_include_home_and_exist(uses: list[Use]) -> None:
    graph, groups = build(uses)
    for facet, node in graph.facets.items():
        partners = groups.partners(facet, ())
        assert partners == sorted(set(partners))
        assert set(partners) <= set(groups.by_number)
        assert not node.is_template or node.group in partners


def _used(*users: tuple[int, range]) -> tuple[LinkGraph, Groups]:
    return build(
        [Use(n, facet, 2, 0, 0, 0) for facet, accounts in users for n in accounts]
    )


@pytest.mark.parametrize(
    ("first", "second", "campaigns", "joined"),
    [
        (range(6), range(6), (), True),
        (range(10), range(5, 14), (), False),  # five of fourteen are in both
        (range(8), range(2, 9), (), True),  # six of nine are
        (range(4), range(4), (), False),  # too few to say
        (range(12), range(5), (), False),
        (range(12), range(6), (1,), True),  # a campaign takes in what is its own
        (range(12), range(5), (1,), False),  # five may be so by chance
        (range(90), range(68, 91), (1,), False),
        (range(90), range(23), (1,), True),
        (range(12), range(5), (2,), False),
    ],
)
def test_templates_with_most_accounts_in_common_are_one(
    first: range, second: range, campaigns: tuple[int, ...], *, joined: bool
) -> None:
    _, groups = _used((1, first), (2, second))
    assert (groups.partners(1, campaigns) == [1, 2]) == joined
    assert (groups.partners(2, campaigns) == [1, 2]) == joined


def test_infrastructure_joins_when_hardly_anyone_else_has_it() -> None:
    templates = ((1, range(5)), (2, range(5, 10)))
    graph, groups = _used(*templates, (4, range(10)))
    graph.facets[4].degree = 10
    assert groups.partners(4, ()) == [1, 2]
    graph.facets[4].degree = 21  # more than half of its accounts have no evidence
    assert groups.partners(4, ()) == []
    graph, groups = _used(*templates, (4, range(4, 9)))
    assert len(graph.members[4]) == MIN_SHARED_ACCOUNTS
    assert groups.partners(4, ()) == []


def test_a_tls_fingerprint_joins_nobody() -> None:
    graph, groups = _used((1, range(5)), (2, range(5, 10)), (5, range(10)))
    assert graph.facets[5].kind_name == "tls"
    assert groups.partners(5, ()) == []


def test_a_group_without_facets_has_an_id_all_the_same() -> None:
    ids = {campaign_id(Group(number, first)) for number in (1, 2) for first in (1, 2)}
    assert len(ids) == 4
    assert all(len(identifier) == len("dc-") + 12 for identifier in ids)


def test_facets_are_named_for_people() -> None:
    graph, _ = _used((1, range(1)), (4, range(1)))
    assert facet_label(1, graph.facets[1]) == "template_head:0000000000000001"
    assert facet_label(4, graph.facets[4]) == "network:name-4"
