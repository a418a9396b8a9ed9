"""Labels help, and a dishonest author can neither turn nor silently shield.

The population is small and seeded. Its margins are stated wider than what was measured
on it, and hold for other seeds: see `distillwatch labels trial`.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.scenarios.label_trial import (
    CASES,
    DISHONEST,
    History,
    Outcome,
    label_cases,
    make_history,
    replay_with,
    roc_area,
)

_ACCOUNTS = 240


@pytest.fixture(scope="module")
def history() -> History:
    return make_history(accounts=_ACCOUNTS, seed=4)


@pytest.fixture(scope="module")
def outcomes(history: History) -> dict[str, Outcome]:
    cases = label_cases(history, seed=4)
    return {name: replay_with(history, labels) for name, labels in cases.items()}


def test_every_case_is_described(outcomes: dict[str, Outcome]) -> None:
    assert outcomes.keys() == CASES.keys()


def test_labels_improve_the_model_and_spare_the_ordinary(
    outcomes: dict[str, Outcome],
) -> None:
    none, few, many = (outcomes[name] for name in ("none", "few", "many"))
    assert none.examples == 0
    assert few.area > none.area + 0.02
    for labelled in (few, many):
        assert labelled.share("wrong", "throttle") < 0.75 * none.share(
            "wrong", "throttle"
        )
        assert labelled.share("wrong", "observe") < 0.8 * none.share("wrong", "observe")
        # Recall, within a margin of three in a hundred accounts.
        assert (
            labelled.share("right", "throttle") > none.share("right", "throttle") - 0.03
        )
        assert labelled.disputed == ()


def test_one_author_alone_changes_little(outcomes: dict[str, Outcome]) -> None:
    none, alone = outcomes["none"], outcomes["alone"]
    assert alone.least == 1 / 8
    assert alone.area == outcomes["few"].area
    assert alone.share("right", "throttle") > none.share("right", "throttle") - 0.03


def test_five_percent_of_lies_are_told_of_and_change_little(
    outcomes: dict[str, Outcome],
) -> None:
    many, flipped = outcomes["many"], outcomes["flipped"]
    assert abs(flipped.area - many.area) < 0.02
    assert any(f"labels by {DISHONEST} contradict" in told for told in flipped.disputed)
    assert flipped.share("right", "throttle") > many.share("right", "throttle") - 0.03


def test_hundreds_of_lies_shield_nobody_else(outcomes: dict[str, Outcome]) -> None:
    few, shielded = outcomes["few"], outcomes["shielded"]
    assert any(
        f"labels by {DISHONEST} contradict" in told for told in shielded.disputed
    )
    assert shielded.examples == few.examples
    assert shielded.share("right", "throttle") > few.share("right", "throttle") - 0.05


def test_a_lone_liar_is_told_of_and_bounded(outcomes: dict[str, Outcome]) -> None:
    none, turned = outcomes["none"], outcomes["turned"]
    assert any(told.startswith(f"{DISHONEST} alone") for told in turned.disputed)
    assert turned.least == 1 / 8
    # Evidence that carries to suspension, of 1,000, is still above 100: the campaign's
    # accounts keep what stands against them and climb to a throttle. What asks for more
    # than an eighth of their evidence waits until the dispute is settled.
    for rung in ("observe", "throttle"):
        assert turned.share("held", rung) > none.share("held", rung) - 0.03
    assert turned.share("held", "suspend") < none.share("held", "suspend")
    # And what he calls distillation carries nobody any higher.
    assert turned.share("wrong", "throttle") < none.share("wrong", "throttle") + 0.05


@given(
    st.lists(st.floats(-9, 9), min_size=1, max_size=9),
    st.lists(st.floats(-9, 9), min_size=1, max_size=9),
)
def test_the_area_turns_with_the_roles(high: list[float], low: list[float]) -> None:
    assert roc_area(high, low) == pytest.approx(1 - roc_area(low, high))
    assert roc_area([], low) == 0.5
