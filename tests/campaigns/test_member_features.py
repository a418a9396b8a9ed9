"""What ties one account to a group lies in 0 to 1; strangers have little of it."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import Use, build, use_lists

from streams.campaigns.common_places import PLACE_KINDS
from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.member_features import (
    MEMBER_FEATURES,
    GroupProfile,
    MemberScale,
)
from streams.contracts.compiled import plain_numpy
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.models.likeness import Likeness
from streams.models.reference import ONE_SITE


@given(use_lists())
def test_features_are_shares(uses: list[Use]) -> None:
    graph, groups = build(uses)
    for group in groups.by_number.values():
        profile = GroupProfile(graph, group)
        for account in group.uses:
            features = profile.member(account)
            assert tuple(features) == MEMBER_FEATURES
            assert all(0 <= value <= 1 for value in features.values())
            assert GroupProfile(graph, group).member(account) == features


@given(use_lists())
def test_features_are_what_the_edges_say(uses: list[Use]) -> None:
    graph, groups = build(uses)
    for group in groups.by_number.values():
        profile = GroupProfile(graph, group)
        for account in group.uses:
            found = profile.member(account)
            with plain_numpy():
                assert profile.member(account) == found
            for name, value in _features(graph, group, account).items():
                assert found[name] == pytest.approx(value, abs=1e-6)


def _features(graph: LinkGraph, group: Group, account: str) -> dict[str, float]:
    """Describe an account from all accounts and their edges, the plain way."""
    node, nodes = graph.accounts[account], [graph.accounts[a] for a in group.uses]
    best = dict.fromkeys(INFRASTRUCTURE_KINDS, 0.0)
    kinds: Counter[int] = Counter()
    for facet in node.edges:
        about = graph.facets[facet]
        kinds[about.kind] += about.group == group.number
        users = sum(facet in other.edges for other in nodes)
        place = about.kind_name in PLACE_KINDS and users >= ONE_SITE * len(nodes)
        if not about.is_template and users > 1 and not place:
            name = about.kind_name
            best[name] = max(best[name], about.purity(users))
    opened = [other.created for other in nodes if other.created >= 0]
    day = near = 0
    if node.created >= 0:
        day, near = (
            sum(abs(each - node.created) <= within for each in opened) - 1
            for within in (1440, 30)
        )
    return {
        "templates": (max(kinds.values()) - 1) / 4,
        "share": min(group.uses[account] / node.events, 1),
        "payment": best["payment"],
        "network": best["network"],
        "software": (best["tls"] + best["client"]) / 2,
        "cohort": day / max(len(opened) - 1, 1),
        "batch": min(math.log2(1 + near) / 3, 1) if 4 * near >= day else 0,
    }


def test_a_bystander_has_nothing_in_common() -> None:
    shared, own = (1, 2, 3, 4, 5, 7), {7: (1, 6), 8: (1,)}
    members = [Use(n, facet, 6, 0, 0, 0) for n in range(6) for facet in shared]
    strangers = [Use(n, facet, 2, 0, 0, 0) for n, some in own.items() for facet in some]
    graph, groups = build([*members, *strangers])
    for n in range(6):
        graph.accounts[f"account-{n}"].created += 990 * n  # within 60 minutes
    groups.merge(groups.by_number[1], groups.by_number[2])
    profile = GroupProfile(graph, groups.by_number[1])
    one, other = profile.member("account-0"), profile.member("account-7")
    assert all(one[name] > other[name] for name in MEMBER_FEATURES)
    for name in set(MEMBER_FEATURES) - {"uses", "share"}:
        assert other[name] == 0


@given(st.integers(2, 40), st.integers(0, 40))
def test_what_one_customer_or_place_explains_is_no_tie(same: int, others: int) -> None:
    """Some have one network (4), some another TLS fingerprint (5) in common."""
    uses = [Use(n, 1, 6, 0, 0, 0) for n in range(same + others)]
    for facet in (4, 5):
        graph, groups = build(
            [*uses, *(Use(n, facet, 6, 0, 0, 0) for n in range(same))]
        )
        profile = GroupProfile(graph, groups.by_number[1])
        explained = facet == 4 and same >= ONE_SITE * (same + others)
        told = profile.member("account-0")
        assert told["network"] == (facet == 4 and not explained)
        assert told["software"] == (0.5 if facet == 5 else 0.0)


def test_kinds_of_facet_of_one_template_are_no_further_templates() -> None:
    uses = [Use(n, facet, 6, 0, 0, 0) for n in range(6) for facet in (1, 3)]
    graph, groups = build(uses)
    groups.merge(groups.by_number[1], groups.by_number[3])
    assert (
        GroupProfile(graph, groups.by_number[1]).member("account-0")["templates"] == 0
    )


_WEIGHTS = st.fixed_dictionaries(dict.fromkeys(MEMBER_FEATURES, st.floats(-9, 20)))


@given(use_lists(), _WEIGHTS, st.floats(-9, 9), st.booleans())
def test_a_score_differs_from_that_of_the_features_by_rounding_only(
    uses: list[Use], weights: dict[str, float], intercept: float, compiled: bool
) -> None:
    graph, groups = build(uses)
    model, scale = Likeness(weights, intercept), MemberScale.of(weights, intercept)
    for group in groups.by_number.values():
        profile = GroupProfile(graph, group)
        accounts = graph.numbers_of(group.uses)
        with nullcontext() if compiled else plain_numpy():
            scores, _ = profile.look(accounts, scale)
        for account, score in zip(group.uses, scores, strict=True):
            exact = model.log_odds(profile.member(account))
            assert abs(score - exact) <= scale.slack


@given(use_lists(), use_lists())
def test_a_profile_follows_its_group(uses: list[Use], later: list[Use]) -> None:
    graph, groups = build(uses)
    followed = [groups.profile(group) for group in groups.by_number.values()]
    build(later, graph, groups)
    for profile, group in zip(followed, groups.by_number.values(), strict=False):
        anew = GroupProfile(graph, group)
        for account in group.uses:
            assert profile.member(account) == anew.member(account)
