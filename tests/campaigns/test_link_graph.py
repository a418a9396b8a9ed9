"""Both sides of the graph agree, what it keeps is what the edges say."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import Use, build, edge, use_lists

from streams.campaigns.graph_rows import pack_accounts, pack_facets, put_accounts
from streams.campaigns.group import Group
from streams.campaigns.group_features import group_features
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_nodes import FacetNode
from streams.contracts.compiled import plain_numpy
from streams.errors import StateError


@given(use_lists())
def test_members_and_templates_are_those_of_the_edges(uses: list[Use]) -> None:
    graph, _ = build(uses)
    edges = {
        (account, facet)
        for account, node in graph.accounts.items()
        for facet in node.edges
    }
    assert edges == {(f"account-{use.account}", use.facet) for use in uses}
    assert edges == {
        (account, facet) for facet, some in graph.members.items() for account in some
    }
    for account, node in graph.accounts.items():
        assert list(graph.templates_of(account)) == [
            facet for facet in node.edges if graph.facets[facet].is_template
        ]


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_purity_is_a_share_that_grows_with_the_users(degree: int, users: int) -> None:
    node = FacetNode(5, "network", degree, 9, 1.0)
    assert 0 <= node.purity(users) <= node.purity(users + 1) <= 1
    assert (node.purity(users) >= 0.5) == (users >= max(degree, 1) / 2)


@given(use_lists())
def test_of_a_facet_its_members_are_the_users_with_evidence(uses: list[Use]) -> None:
    graph, _ = build(uses)
    for facet, members in graph.members.items():
        degree = graph.facets[facet].degree
        assert graph.purity(facet) == len(members) / max(degree, len(members))


@given(use_lists())
def test_an_account_is_the_sum_of_its_uses(uses: list[Use]) -> None:
    graph, _ = build(uses)
    for account, node in graph.accounts.items():
        own = [use for use in uses if account == f"account-{use.account}"]
        last = {use.facet: edge(use) for use in own}
        assert {
            f: msgspec.structs.replace(e, events=0) for f, e in node.edges.items()
        } == last
        assert node.first == min(each.first for each in node.edges.values())
        for side in range(2):
            listed = graph.facets_of(graph.numbers_of((account,)), side)
            assert graph.facet.at.hash[listed].tolist() == [
                facet
                for facet in dict.fromkeys(use.facet for use in own)
                if graph.facets[facet].is_template == (side == 0)
            ]


@given(use_lists())
def test_users_are_counted_by_side(uses: list[Use]) -> None:
    graph, _ = build(uses)
    accounts = graph.numbers_of(graph.accounts)
    for side in range(2):
        facets, users = graph.users_of(accounts, side)
        hashes = graph.facet.at.hash[facets].tolist()
        found = dict(zip(hashes, users.tolist(), strict=True))
        assert found == {
            facet: len(members)
            for facet, members in graph.members.items()
            if graph.facets[facet].is_template == (side == 0)
        }


@given(use_lists())
@settings(max_examples=30)
def test_the_loops_do_without_a_compiler(uses: list[Use]) -> None:
    with plain_numpy():
        plain, plain_groups = build(uses)
        features = [group_features(plain, one) for one in _listed(plain_groups)]
    graph, groups = build(uses)
    assert graph.accounts == plain.accounts
    assert graph.facets == plain.facets
    assert graph.members == plain.members
    assert groups.by_number == plain_groups.by_number
    assert [group_features(graph, one) for one in _listed(groups)] == features


def _listed(groups: Groups) -> list[Group]:
    return [groups.by_number[number] for number in sorted(groups.by_number)]


@given(use_lists())
def test_what_is_written_of_accounts_and_facets_comes_back(uses: list[Use]) -> None:
    graph, groups = build(uses)
    graph.named.update(dict.fromkeys(list(graph.accounts)[::2], "dc-2"))
    ids, rows = pack_accounts(graph, graph.numbers_of(graph.accounts).tolist())
    again = LinkGraph()
    for facet, packed in pack_facets(graph, graph.facet_numbers.values()):
        again.facets[facet] = msgspec.msgpack.decode(packed, type=FacetNode)
    names = [account.decode() for account in ids]
    put_accounts(again, dict(zip(names, rows, strict=True)))
    assert again.accounts == graph.accounts
    assert again.facets == graph.facets
    assert again.members == graph.members
    restored = Groups(again)
    for number, group in groups.by_number.items():
        slim = msgspec.structs.replace(group, uses={}, exchanges=0)
        restored.by_number[number] = slim
    restored.recount_all()
    assert restored.by_number == groups.by_number


@pytest.mark.parametrize("cut", [5, -1])
def test_rows_of_another_layout_are_refused(cut: int) -> None:
    graph, _ = build([Use(0, 1, 1, 0, 0, 0)])
    _, rows = pack_accounts(graph, [0])
    with pytest.raises(StateError, match="new app_id"):
        put_accounts(LinkGraph(), {"account-0": rows[0][:cut]})
