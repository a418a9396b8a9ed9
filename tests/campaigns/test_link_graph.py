"""Both sides of the graph agree, what it keeps is what the edges say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from random_graphs import Use, build, edge, use_lists

from streams.campaigns.link_graph import FacetNode


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


@given(use_lists(), st.lists(st.booleans(), min_size=41, max_size=41))
def test_sorted_edges_follow_every_change(uses: list[Use], asked: list[bool]) -> None:
    graph, groups = build(uses[:1])
    for use, ask in zip(uses, asked, strict=False):
        build([use], graph, groups)
        for account, node in graph.accounts.items() if ask else ():
            found = graph.sorted_edges(account)
            is_template = {f: graph.facets[f].is_template for f in node.edges}
            assert found.templates == [f for f in node.edges if is_template[f]]
            assert found.infrastructure == [f for f in node.edges if not is_template[f]]
            assert found.first == min(each.first for each in node.edges.values())
            assert graph.templates_of(account) == found.templates


@given(use_lists())
def test_an_account_that_is_set_anew_is_sorted_anew(uses: list[Use]) -> None:
    graph, _ = build(uses)
    use = uses[0]
    account = f"account-{use.account}"
    graph.sorted_edges(account)
    node = graph.accounts[account]
    node.edges = {use.facet: edge(use)}
    graph.put_account(account, node)
    assert graph.sorted_edges(account).templates == [use.facet]
    assert not graph.sorted_edges(account).infrastructure
