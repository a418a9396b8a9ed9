"""One rung at a time, on evidence of one's own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Rung
from streams.policy.ladder import LADDER, RUNGS, Evidence, Step, climb, next_step

_STRONG = Evidence(0, 1000, 1e9, 100)
_EVIDENCE = st.builds(
    Evidence,
    st.integers(0, 90 * 1440),
    st.sampled_from([0, *[step.uses for step in LADDER], 100]),
    st.sampled_from([0.0, *[step.e_value for step in LADDER], 1e6]),
    st.integers(0, 4),
    st.booleans(),
)
_RUNG = st.sampled_from([None, *RUNGS])


@given(_RUNG, _EVIDENCE, st.integers(0, 90 * 1440), st.booleans())
def test_every_move_is_a_legal_one(
    rung: Rung | None, evidence: Evidence, lasts: int, direct: bool
) -> None:
    expires = evidence.minute + lasts
    move = climb(rung, expires, LADDER, evidence, direct=direct)
    above = LADDER[next_step(rung, LADDER) :]
    if move is None:
        assert not above or not evidence.carries(above[0])
        return
    assert evidence.carries(move.step)
    if move.kind == "extended":
        # Said again when half of its time was over, and nothing higher is carried.
        assert 2 * (expires - evidence.minute) <= move.step.minutes
        assert move.step is LADDER[next_step(rung, LADDER) - 1]
    else:
        assert move.kind == ("issued" if rung is None else "escalated")
        reached = above.index(move.step)
        assert reached == 0 or direct
        assert all(evidence.carries(step) for step in above[: reached + 1])


@given(_RUNG, _EVIDENCE)
def test_nothing_happens_without_evidence(
    rung: Rung | None, evidence: Evidence
) -> None:
    weak = evidence._replace(e_value=min(evidence.e_value, LADDER[0].e_value - 1))
    assert climb(rung, evidence.minute + 1, LADDER, weak) is None


@given(_EVIDENCE, st.sets(st.sampled_from(RUNGS)))
def test_a_step_that_is_not_permitted_is_not_taken(
    evidence: Evidence, refused: set[Rung]
) -> None:
    move = climb(
        None,
        -1,
        LADDER,
        evidence,
        permits=lambda step: step.rung not in refused,
        direct=True,
    )
    assert move is None or move.step.rung not in refused


def test_the_strongest_evidence_still_takes_one_step_at_a_time() -> None:
    rungs: list[Rung] = []
    while move := climb(rungs[-1] if rungs else None, 1 << 40, LADDER, _STRONG):
        rungs.append(move.step.rung)
    assert rungs == [step.rung for step in LADDER]


@pytest.mark.parametrize(("before", "after"), list(pairwise(LADDER)))
def test_a_higher_rung_never_asks_for_less(before: Step, after: Step) -> None:
    assert RUNGS.index(before.rung) < RUNGS.index(after.rung)
    assert before.uses < after.uses
    assert before.e_value <= after.e_value
    assert before.confirmations <= after.confirmations
    assert before.minutes <= after.minutes


def test_a_suspension_waits_for_a_person() -> None:
    assert {step.rung for step in LADDER if step.human_review} == {"suspend"}


def test_who_works_from_one_network_is_at_most_observed() -> None:
    strong = _STRONG._replace(one_network=True)
    assert [step.rung for step in LADDER if strong.carries(step)] == ["observe"]
