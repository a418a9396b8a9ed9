"""From what decisions tell, their e-values can be computed again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.campaigns.group_features import FEATURES
from streams.campaigns.member_features import MEMBER_FEATURES
from streams.contracts import Feature
from streams.engine.evidence_records import ACCOUNT, group_evidence, member_evidence
from streams.models.reference import GROUP_LOOKS, load_reference

REFERENCE = load_reference()
LEVEL = 1 / 255
values = st.integers(0, 1_000_000).map(lambda number: number / 1_000_000)


def _values(told: tuple[Feature, ...]) -> dict[str, float]:
    return {each.name.partition(".")[2]: each.value for each in told}


def _is_ranked(told: tuple[Feature, ...]) -> bool:
    weights = [each.weight for each in told]
    assert all(0 <= each.benign_quantile <= 1 for each in told)
    return weights == sorted(weights, reverse=True)


@given(
    group=st.fixed_dictionaries(dict.fromkeys(FEATURES, values)),
    look=st.integers(0, len(GROUP_LOOKS) - 1),
)
def test_a_groups_features_give_its_e_value(group: dict[str, float], look: int) -> None:
    found = REFERENCE.assess_group(group, look, LEVEL)
    told = group_evidence(group, found.quantiles, (), REFERENCE)
    again = dict.fromkeys(FEATURES, 0.0) | _values(told)
    assert again == group
    assert REFERENCE.assess_group(again, look, LEVEL).e_value == found.e_value
    assert _is_ranked(told)
    total = sum(each.weight for each in told)
    assert total == pytest.approx(1, abs=1e-4) or total == 0


@given(st.fixed_dictionaries(dict.fromkeys(MEMBER_FEATURES, values)))
def test_an_accounts_features_give_its_e_value(member: dict[str, float]) -> None:
    told = member_evidence(member, REFERENCE)
    assert {each.name.partition(".")[0] for each in told} <= {ACCOUNT}
    again = dict.fromkeys(MEMBER_FEATURES, 0.0) | _values(told)
    assert REFERENCE.assess_member(again) == REFERENCE.assess_member(member)
    assert _is_ranked(told)


def test_an_imported_indicator_is_told_and_weighs_nothing() -> None:
    group = dict.fromkeys(FEATURES, 0.5)
    told = group_evidence(group, {}, ["indicator--1", "indicator--2"], REFERENCE)
    watched = told[-1]
    assert (watched.name, watched.value, watched.weight) == ("indicator.watched", 2, 0)
