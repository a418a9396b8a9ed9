"""Groups come from the same places as far as accounts in one of them only do."""

from __future__ import annotations

import pytest
from hypothesis import given
from random_graphs import Use, build, use_lists

from streams.campaigns.common_places import common_places
from streams.campaigns.groups import MIN_AKIN_ACCOUNTS, Groups
from streams.campaigns.link_graph import LinkGraph

_NETWORK = 4


def _two_groups(network: range, *, shared: int = 3) -> tuple[LinkGraph, Groups]:
    """Let ten accounts use one template and ten another, ``shared`` of them both."""
    used = [(1, range(10)), (2, range(10 - shared, 20 - shared)), (_NETWORK, network)]
    graph, groups = build(
        [Use(n, facet, 2, 0, 0, 0) for facet, accounts in used for n in accounts]
    )
    graph.facets[_NETWORK].degree = len(network)
    return graph, groups


@given(use_lists())
def test_it_is_the_same_from_both_sides_and_within_its_bounds(uses: list[Use]) -> None:
    graph, groups = build(uses)
    for one in groups.by_number.values():
        assert common_places(graph, one, one) == 0
        for other in groups.by_number.values():
            found = common_places(graph, one, other)
            assert 0 <= found <= 2
            assert found == common_places(graph, other, one)


def test_accounts_in_both_groups_do_not_count() -> None:
    graph, groups = _two_groups(range(10))  # the whole of one group, three of the other
    one, other = groups.by_number[1], groups.by_number[2]
    assert common_places(graph, one, other) == 0
    graph, groups = _two_groups(range(5, 14))
    one, other = groups.by_number[1], groups.by_number[2]
    # Two of seven on one side, four of seven on the other.
    assert common_places(graph, one, other) == pytest.approx(2 / 7)


@pytest.mark.parametrize(
    ("network", "others", "shared", "joined"),
    [
        (range(17), 0, 3, True),
        (range(17), 17, 3, True),
        (range(17), 90, 3, False),  # a carrier's
        (range(10), 0, 3, False),  # one group's own
        (range(18), 0, MIN_AKIN_ACCOUNTS - 1, False),
    ],
)
def test_groups_from_the_same_places_become_one_early(
    network: range, others: int, shared: int, *, joined: bool
) -> None:
    graph, groups = _two_groups(network, shared=shared)
    graph.facets[_NETWORK].degree += others
    assert (groups.partners(1, ()) == [1, 2]) == joined
    assert (groups.partners(2, ()) == [1, 2]) == joined
