"""What ties one account to a group lies in 0 to 1; strangers have little of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from random_graphs import Use, build, use_lists

from streams.campaigns.member_features import (
    MEMBER_FEATURES,
    GroupProfile,
    MemberScale,
)
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


def test_a_bystander_has_nothing_in_common() -> None:
    members = [Use(n, facet, 6, 0, 0, 0) for n in range(6) for facet in (1, 2, 3, 4)]
    strangers = [Use(n, facet, 2, 0, 0, 0) for n in (7, 8) for facet in (1, n - 2)]
    graph, groups = build([*members, *strangers])
    for n in range(6):
        graph.accounts[f"account-{n}"].created += 990 * n  # within 60 minutes
    groups.merge(groups.by_number[1], groups.by_number[2])
    profile = GroupProfile(graph, groups.by_number[1])
    one, other = profile.member("account-0"), profile.member("account-7")
    assert all(one[name] > other[name] for name in MEMBER_FEATURES)
    for name in ("templates", "infrastructure", "cohort", "batch", "young"):
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
        tie = 0.0 if explained else 1 / len(INFRASTRUCTURE_KINDS)
        assert profile.member("account-0")["infrastructure"] == tie


def test_kinds_of_facet_of_one_template_are_no_further_templates() -> None:
    uses = [Use(n, facet, 6, 0, 0, 0) for n in range(6) for facet in (1, 3)]
    graph, groups = build(uses)
    groups.merge(groups.by_number[1], groups.by_number[3])
    assert (
        GroupProfile(graph, groups.by_number[1]).member("account-0")["templates"] == 0
    )


_WEIGHTS = st.fixed_dictionaries(dict.fromkeys(MEMBER_FEATURES, st.floats(-9, 20)))


@given(use_lists(), _WEIGHTS, st.floats(-9, 9), st.floats(-9, 20), st.booleans())
def test_a_score_that_is_plainly_below_a_limit_is_not_above_it(
    uses: list[Use],
    weights: dict[str, float],
    intercept: float,
    limit: float,
    on_a_score: bool,
) -> None:
    graph, groups = build(uses)
    model, scale = Likeness(weights, intercept), MemberScale.of(weights, intercept)
    for group in groups.by_number.values():
        profile = GroupProfile(graph, group)
        for account in group.uses:
            score = model.log_odds(profile.member(account))
            at = score if on_a_score else limit
            if profile.is_below(account, scale, at):
                assert score <= at
            assert profile.is_below(account, scale, score + 3 * scale.slack)
            assert not profile.is_below(account, scale, score - 1e-6)
