"""What is said to clear a subject does clear it, and nothing nearer does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.campaigns.group_features import FEATURES
from streams.campaigns.member_features import MEMBER_FEATURES
from streams.models.evidence import RankedScores
from streams.models.reference import (
    GROUP_LOOKS,
    MEMBER_E_VALUES,
    Prior,
    Reference,
    load_reference,
)
from streams.policy.counterfactual import clear_account, clear_group
from streams.policy.ladder import LADDER, Evidence, Step, climb

GRID = 1_000_000
SHIPPED = load_reference()


def _reference(bystanders: list[float]) -> Reference:
    """Give a reference whose bystanders are as manifold as one pleases."""
    return msgspec.structs.replace(
        SHIPPED, bystanders=RankedScores.of(bystanders), version="test", digest=""
    )


REFERENCES = (
    SHIPPED,
    _reference([number / 200 - 4.5 for number in range(1500)]),
    msgspec.structs.replace(
        _reference([number / 200 - 4.5 for number in range(1500)]),
        member=Prior({"uses": 4.0, "share": 2.0, "young": -3.0}, -2.0),
        digest="against",
    ),
)


def _with(seen: Evidence, name: str, value: float) -> Evidence:
    match name:
        case "exchanges":
            return seen._replace(uses=int(value))
        case "confirmations":
            return seen._replace(confirmations=int(value))
        case _:
            return seen._replace(e_value=value)


values = st.integers(0, GRID).map(lambda number: number / GRID)


def features(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries(dict.fromkeys(names, values))


@given(
    reference=st.sampled_from(REFERENCES),
    member=features(MEMBER_FEATURES),
    uses=st.integers(2, 60),
    confirmations=st.integers(1, 6),
    place=st.integers(0, len(LADDER) - 1),
)
def test_an_account_with_the_changed_value_would_not_have_moved(
    reference: Reference,
    member: dict[str, float],
    uses: int,
    confirmations: int,
    place: int,
) -> None:
    step = LADDER[place]
    below = LADDER[place - 1].rung if place else None
    seen = Evidence(0, uses, reference.assess_member(member), confirmations)
    if not seen.carries(step):
        return
    assert climb(below, 1 << 30, LADDER, seen) is not None
    told = clear_account(step, seen, member, reference)

    def moves(evidence: Evidence) -> bool:
        return climb(below, 1 << 30, LADDER, evidence) is not None

    for change in told.evidence:
        if change.clears_at is None:
            continue
        assert not moves(_with(seen, change.name, change.clears_at))
        if change.name != "e_value":
            assert moves(_with(seen, change.name, change.clears_at + 1))
    assert {change.name for change in told.evidence} == {
        *("exchanges", "confirmations", "e_value"),
    }
    for change in told.features:
        assert change.seen == member[change.name]
        if change.clears_at is not None:
            changed = {**member, change.name: change.clears_at}
            e_value = reference.assess_member(changed)
            assert not moves(seen._replace(e_value=e_value))
            nearer = change.clears_at + (
                1 / GRID if change.clears_at < change.seen else -1 / GRID
            )
            nearest = reference.assess_member({**member, change.name: round(nearer, 6)})
            assert moves(seen._replace(e_value=nearest))
        else:
            for end in (0.0, 1.0):
                changed = {**member, change.name: end}
                e_value = reference.assess_member(changed)
                assert moves(seen._replace(e_value=e_value))
    if told.together:
        assert not told.by_one_feature
        changed = {**member, **dict.fromkeys(told.together, 0.0)}
        assert reference.assess_member(changed) < step.e_value


@pytest.mark.parametrize("step", LADDER, ids=lambda step: step.rung)
def test_the_e_value_that_clears_is_one_that_an_account_can_have(step: Step) -> None:
    seen = Evidence(0, 60, MEMBER_E_VALUES[-1], 6)
    told = clear_account(step, seen, None, SHIPPED).evidence
    (e_value,) = (change for change in told if change.name == "e_value")
    possible = (0.0, *MEMBER_E_VALUES)
    assert e_value.clears_at == max(each for each in possible if each < step.e_value)


@given(
    group=features(FEATURES),
    look=st.integers(0, len(GROUP_LOOKS) - 1),
    level=st.floats(1e-5, 0.5),
)
def test_a_group_with_the_changed_value_would_not_have_been_rejected(
    group: dict[str, float], look: int, level: float
) -> None:
    def rejected(changed: dict[str, float]) -> bool:
        return SHIPPED.assess_group(changed, look, level).e_value * level >= 1

    if not rejected(group):
        return
    told = clear_group(group, look, level, SHIPPED)
    assert told.features
    for change in told.features:
        if change.clears_at is None:
            assert rejected({**group, change.name: 0.0})
            continue
        assert change.clears_at < change.seen
        assert not rejected({**group, change.name: change.clears_at})
        nearer = round(change.clears_at + 1 / GRID, 6)
        assert rejected({**group, change.name: nearer})
    if told.together:
        assert not told.by_one_feature
        assert not rejected({**group, **dict.fromkeys(told.together, 0.0)})


def test_a_plain_campaign_has_a_change_that_clears_it_and_others_that_do_not() -> None:
    level = 0.0026
    every = (dict.fromkeys(FEATURES, n / 100) | {"mixing": 0.0} for n in range(80))
    group = next(
        group
        for group in every
        if SHIPPED.assess_group(group, 0, level).e_value * level >= 1
    )
    told = clear_group(group, 0, level, SHIPPED)
    assert {change.clears_at is None for change in told.features} == {True, False}
    assert told.together == ()
    assert abs(told.needed - 1 / 0.0026) < 1e-9


def test_where_no_single_feature_clears_the_fewest_together_are_told() -> None:
    member = dict.fromkeys(MEMBER_FEATURES, 1.0)
    step = LADDER[1]
    seen = Evidence(0, 7, SHIPPED.assess_member(member), 2)
    told = clear_account(step, seen, member, SHIPPED)
    assert not told.by_one_feature
    assert len(told.together) > 1
    cleared = member | dict.fromkeys(told.together, 0.0)
    assert SHIPPED.assess_member(cleared) < step.e_value
    fewer = member | dict.fromkeys(told.together[:-1], 0.0)
    assert SHIPPED.assess_member(fewer) >= step.e_value


def test_without_the_reference_only_counts_are_told() -> None:
    told = clear_account(LADDER[0], Evidence(0, 2, 30.0, 1), {"uses": 0.5}, None)
    assert [change.clears_at for change in told.evidence] == [1.0, 0.0, None]
    assert told.features == ()
