"""A subject's life: sequences only rise, and a release starts the evidence anew."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Rung
from streams.policy.ladder import RUNGS
from streams.policy.standing import Standing

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "expire", "release"]),
        st.sampled_from(RUNGS),
        st.integers(0, 500),
    ),
    max_size=30,
)


@given(_STEPS)
def test_sequences_rise_by_one_with_each_action_and_with_nothing_else(
    steps: list[tuple[str, Rung, int]],
) -> None:
    standing, minute, uses, puts, repeats = Standing(), 0, 0, 0, 0
    ran_out = False
    for step, rung, later in steps:
        minute, uses = minute + later, uses + later // 100
        if step == "put":
            standing.put(rung, expires=minute + 9, mode="shadow", campaign="dc-1")
            puts, repeats, ran_out = puts + 1, repeats + ran_out, False
            assert (standing.rung, standing.expires) == (rung, minute + 9)
        elif step == "expire" and standing.rung is not None:
            standing.expire()
            ran_out = True
            assert standing.rung is None
        elif step == "release":
            standing.release(minute, uses)
            ran_out = False
            assert standing.rung is None
            assert standing.fresh_uses(uses) == 0
            assert standing.fresh_uses(uses + 5) == 5
            assert standing.is_cooling(minute, 10)
            assert not standing.is_cooling(minute + 10, 10)
        assert (standing.sequence, standing.repeats) == (puts, repeats)


def test_without_a_release_all_evidence_counts() -> None:
    assert Standing().fresh_uses(7) == 7
    assert not Standing().is_cooling(0, 10_000)


def test_it_survives_its_encoding() -> None:
    standing = Standing(rung="throttle", sequence=4, released=9, approved="suspend")
    packed = msgspec.msgpack.encode(standing)
    assert msgspec.msgpack.decode(packed, type=Standing) == standing
