from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.campaigns.label_features import label_features
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_nodes import AccountNode, Edge, FacetNode
from streams.features.account_row import FACET_KINDS

_counts = st.integers(0, 10**6)


@given(
    created=st.integers(-1, 10**8),
    events=_counts,
    likeness=st.integers(-32_768, 32_767),
    kinds=st.lists(st.integers(0, len(FACET_KINDS) - 1), max_size=40),
    uses=st.floats(0, 1),
)
def test_features_are_bounded_and_on_the_grid(
    created: int,
    events: int,
    likeness: int,
    kinds: list[int],
    uses: float,
) -> None:
    graph = LinkGraph()
    edges = {}
    for facet, kind in enumerate(kinds, 1):
        graph.facets[facet] = FacetNode(kind, "", 1, 1, 1.0)
        edges[facet] = Edge(10**7, 10**7, 1, 0)
    node = AccountNode(1, created, events, events // 3, likeness, edges)
    features = label_features(graph, node, {"uses": uses})
    assert features["always"] == 1
    for value in features.values():
        assert -1 <= value <= 1
        assert (value * 64).is_integer()
        assert value


def test_an_old_account_is_told_from_a_new_one() -> None:
    graph = LinkGraph()
    graph.facets[1] = FacetNode(0, "", 1, 1, 1.0)
    day = 1440

    def oldness(days: int) -> float:
        edges = {1: Edge(1000 * day, 1000 * day, 1, 0)}
        node = AccountNode(1, (1000 - days) * day, 9, 3, 0, edges)
        return label_features(graph, node, {}).get("old", 0.0)

    assert [oldness(days) for days in (0, 7, 30, 900)] == [0, 0.203125, 0.625, 1]
    unknown = AccountNode(1, -1, 9, 3, 0)
    assert label_features(graph, unknown, {})["old"] == 0.5
