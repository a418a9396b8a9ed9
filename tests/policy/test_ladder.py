"""One standing action a subject, one rung at a time, on evidence of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Rung
from streams.policy.ladder import LADDER, Standing, Step, climb


class Seen(NamedTuple):
    """What is known of an account, ``later`` minutes after the last time."""

    later: int
    uses: int
    e_value: float
    confirmations: int


_STRONG = Seen(0, 1000, 1e9, 100)
_SEEN = st.builds(
    Seen,
    st.sampled_from([0, 1, 60, 700, 721, 1440, 3 * 1440, 40 * 1440]),
    st.sampled_from([0, *[step.uses for step in LADDER], 100]),
    st.sampled_from([0.0, *[step.e_value for step in LADDER], 1e6]),
    st.integers(0, 4),
)


def _climb(standing: Standing, minute: int, seen: Seen) -> Step | None:
    return climb(
        standing,
        minute=minute,
        uses=seen.uses,
        e_value=seen.e_value,
        confirmations=seen.confirmations,
    )


def _carries(step: Step, seen: Seen) -> bool:
    return (
        seen.uses >= step.uses
        and seen.e_value >= step.e_value
        and seen.confirmations >= step.confirmations
    )


@given(st.lists(_SEEN | st.just(_STRONG), max_size=40))
def test_every_move_is_a_legal_one(history: list[Seen]) -> None:
    standing, minute = Standing(), 0
    for seen in history:
        minute += seen.later
        before = Standing(standing.step, standing.sequence, standing.expires)
        step = _climb(standing, minute, seen)
        if step is None:
            assert standing == before
            continue
        assert step is LADDER[standing.step]
        assert standing.sequence == before.sequence + 1
        assert standing.expires == minute + step.minutes
        expired = before.step >= 0 and minute >= before.expires
        lower = -1 if expired else before.step
        assert standing.step in {lower, lower + 1}
        if standing.step > lower:
            assert _carries(step, seen)
        else:
            # Still the same rung: said again when half of its time was over.
            assert 2 * (before.expires - minute) <= step.minutes


@given(st.lists(_SEEN, max_size=30))
def test_nothing_happens_without_evidence(history: list[Seen]) -> None:
    standing = Standing()
    for seen in history:
        weak = seen._replace(e_value=min(seen.e_value, LADDER[0].e_value - 1))
        assert _climb(standing, seen.later, weak) is None
    assert standing == Standing()


def test_the_strongest_evidence_still_takes_one_step_at_a_time() -> None:
    standing = Standing()
    rungs = []
    for minute in range(len(LADDER) + 1):
        step = _climb(standing, minute, _STRONG)
        if step is not None:
            rungs.append(step.rung)
    assert rungs == [step.rung for step in LADDER]


def test_an_expired_action_begins_at_the_bottom_again() -> None:
    standing = Standing()
    for minute in range(3):
        _climb(standing, minute, _STRONG)
    end = standing.expires
    assert _climb(standing, end, _STRONG._replace(e_value=0.0)) is None
    again = _climb(standing, end, _STRONG)
    assert again is LADDER[0]
    assert standing.sequence == 4


@pytest.mark.parametrize(("before", "after"), list(pairwise(LADDER)))
def test_a_higher_rung_never_asks_for_less(before: Step, after: Step) -> None:
    assert get_args(Rung).index(before.rung) < get_args(Rung).index(after.rung)
    assert before.uses < after.uses
    assert before.e_value <= after.e_value
    assert before.confirmations <= after.confirmations
    assert before.minutes <= after.minutes


def test_a_suspension_waits_for_a_person() -> None:
    assert {step.rung for step in LADDER if step.human_review} == {"suspend"}
