from __future__ import annotations

import random
from functools import reduce

import pytest
from enforcement_samples import HOUR, OUTCOMES, START, ack, action
from hypothesis import given
from hypothesis import strategies as st

from streams.policy.enforcement_pairs import Answer, Desired, Judgement, judge, succeed

ANSWERS = st.builds(
    lambda outcome, at, sequence, detail: Answer.of(
        ack(outcome, at, sequence=sequence, detail=detail)
    ),
    st.sampled_from(OUTCOMES),
    st.integers(START, START + 3),
    st.integers(1, 2),
    st.sampled_from([None, "", "policy"]),
)


@given(st.lists(ANSWERS, min_size=1), st.integers(0, 2**32))
def test_answers_merge_in_any_order_and_any_number(
    answers: list[Answer], seed: int
) -> None:
    shuffled = answers + answers[: len(answers) // 2]
    random.Random(seed).shuffle(shuffled)  # noqa: S311  an order, no secret
    assert reduce(Answer.merge, answers) == reduce(Answer.merge, shuffled)


def test_an_answer_on_a_later_sequence_counts_however_early_it_was() -> None:
    late = Answer.of(ack("released", START + 9, sequence=1))
    early = Answer.of(ack("applied", START, sequence=2))
    assert late.merge(early) == early


def follow(*steps: tuple[int, dict[str, object] | None]) -> Desired:
    desired = None
    for at, changes in steps:
        made = None if changes is None else action(**changes)
        desired = succeed(desired, made, at)
    assert desired is not None
    return desired


def test_a_repeat_after_a_crash_keeps_the_time_of_the_first_record() -> None:
    assert follow((START, {}), (START + 500, {})).published_at == START


@pytest.mark.parametrize("end", [None, {"expires_at": START + 5}])
def test_a_repeat_of_what_is_over_does_not_bring_it_back(
    end: dict[str, object] | None,
) -> None:
    begin = {} if end is None else end
    over = follow((START, begin), *([(START + 1, None)] if end is None else []))
    assert succeed(over, action(**begin), START + 5) == over
    again = succeed(over, action(sequence=2), START + 6)
    assert again.stands(START + 6)


def test_a_lower_sequence_is_ignored() -> None:
    newest = follow((START, {"sequence": 3}))
    assert succeed(newest, action(sequence=2, mode="shadow"), START + 1) == newest


def test_what_ends_first_is_the_end() -> None:
    desired = follow((START, {"expires_at": START + 5}), (START + 9, None))
    assert desired.ended_at == START + 5
    desired = follow((START, {}), (START + 5, None), (START + 9, None))
    assert desired.ended_at == START + 5
    shadow = {"sequence": 2, "mode": "shadow"}
    desired = follow((START, {"expires_at": START + 5}), (START + 9, shadow))
    assert desired.ended_at == START + 5


def test_a_tombstone_alone_asks_for_a_release() -> None:
    lifted = follow((START, None))  # the action itself was compacted away
    applied = Answer.of(ack("applied", START - HOUR))
    assert judge(lifted, applied, START + 1) == Judgement("held", START)
    assert judge(lifted, None, START + 1) is None


def test_an_answer_ahead_of_its_action_is_no_delay() -> None:
    desired = follow((START, {}))
    ahead = Answer.of(ack("applied", START + 1, sequence=2))
    assert judge(desired, ahead, START + HOUR - 1) == Judgement("enforced", START + 1)
    assert judge(None, ahead, START + 1) is None
