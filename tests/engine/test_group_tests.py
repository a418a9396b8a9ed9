"""A group is tested at its looks only, when enough owners stand behind its accounts."""

from __future__ import annotations

import pytest
from lenient_reference import lenient_reference

from streams.campaigns.group import Group
from streams.campaigns.link_nodes import AccountNode, Edge, FacetNode
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.group_tests import LARGEST_SITE, MIN_OWNERS
from streams.models.reference import GROUP_LOOKS


def _stage_with(owners: int, exchanges: int) -> tuple[CampaignsStage, Group]:
    stage = CampaignsStage(
        0, facet_partitions=1, reference=lenient_reference(), mode="shadow"
    )
    group = Group(1, 0)
    for number in range(2 * MIN_OWNERS):
        name = f"account-{number}"
        stage.graph.accounts[name] = AccountNode(number % owners, 0, 0, 0, 0)
        group.uses[name] = 1
    group.exchanges = exchanges
    return stage, group


def test_looks_are_reached_with_exchanges() -> None:
    for look, exchanges in enumerate(GROUP_LOOKS):
        stage, group = _stage_with(MIN_OWNERS, exchanges)
        assert stage.tests.reached(group) == look + 1
        stage, group = _stage_with(MIN_OWNERS, exchanges - 1)
        assert stage.tests.reached(group) == look


def test_a_look_waits_for_owners_and_is_not_lost() -> None:
    stage, group = _stage_with(MIN_OWNERS - 1, GROUP_LOOKS[2])
    assert stage.tests.reached(group) == 0
    assert list(stage.tests.take(7, group)) == []
    assert group.look == 0
    assert stage.state.operation.budget.tests == 0
    stage.graph.accounts["account-0"].owner = 99
    assert stage.tests.reached(group) == 3


@pytest.mark.parametrize("kind", [0, 3])
def test_one_customer_or_place_is_compared_as_far_as_there_is_the_like(
    kind: int,
) -> None:
    for accounts, tests in ((LARGEST_SITE, 1), (LARGEST_SITE + 1, 0)):
        stage, group = _stage_with(MIN_OWNERS, GROUP_LOOKS[0])
        stage.graph.facets[1] = FacetNode(0, "template", accounts, 0, 0)
        group.facets = [1]
        for number in range(accounts):
            held = [0, 0, 0, 0]
            held[kind] = 7
            node = AccountNode(number, 0, 0, 0, 0)
            node.infrastructure = (held[0], held[1], held[2], held[3])
            node.edges = {1: Edge(0, 9, 1, 1, 1)}
            stage.graph.put_account(f"account-{number}", node)
            group.uses[f"account-{number}"] = 1
        list(stage.tests.take(7, group))
        assert group.look == 1
        assert stage.state.operation.budget.tests == tests
