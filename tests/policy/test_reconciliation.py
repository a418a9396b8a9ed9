from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from enforcement_oracle import Told, oracle, wanted_of
from enforcement_samples import (
    DAY,
    ENFORCERS,
    HOUR,
    LIMIT,
    OUTCOMES,
    SECOND,
    START,
    SUBJECTS,
    Published,
    Record,
    ack,
    action,
)
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Ack
from streams.errors import ConfigError
from streams.policy.enforcement_state import EnforcerState, Pair
from streams.policy.reconciliation import EXPECTED_FOR, GIVE_UP, KEPT, Reconciliation
from streams.sdk.standing_actions import StandingActions

WITHIN = 10.0


def reconciled(records: Iterable[Record], now: int, *enforcers: str) -> Reconciliation:
    found = Reconciliation(within=WITHIN, enforcers=enforcers)
    for record in records:
        take(found, record)
    found.advance(now)
    return found


def take(found: Reconciliation, record: Record) -> None:
    if isinstance(record, Published):
        found.take_action(*record)
    else:
        found.take_ack(record)


def published(sequence: int = 1, at: int = START, **changes: Any) -> Published:
    made = action(sequence=sequence, **changes)
    return Published(made.subject, made, at)


def lifted(at: int, subject: str = "account:1") -> Published:
    return Published(subject, None, at)


def only(found: Reconciliation) -> EnforcerState:
    (state,) = found.state().enforcers
    return state


def pair(found: Reconciliation) -> Pair | None:
    pairs = list(found.pairs())
    assert len(pairs) <= 1
    return pairs[0] if pairs else None


# What happened in a random order, against an oracle that sees all of it at once.

TIMES = st.integers(0, 40).map(lambda tick: START + tick * 5 * SECOND)
SEQUENCES = st.integers(1, 4)


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Draw records: those of a subject's actions in their order, the rest in any."""
    topics: list[list[Record]] = []
    for subject in SUBJECTS:
        times = sorted(draw(st.lists(TIMES, max_size=5)))
        topics.append([draw(actions(subject, at)) for at in times])
    acks: list[Record] = draw(st.lists(answers(), max_size=12))
    acks += draw(st.lists(st.sampled_from(acks), max_size=3)) if acks else []
    topics += [[each] for each in draw(st.permutations(acks))]
    arrived: list[Record] = []
    shuffle = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311  an order, no secret
    while topics := [each for each in topics if each]:
        topic = shuffle.choice(topics)
        arrived.append(topic.pop(0))
        if isinstance(arrived[-1], Published) and shuffle.random() < 0.2:
            arrived.append(arrived[-1])
    return arrived


@st.composite
def actions(draw: st.DrawFn, subject: str, at: int) -> Published:
    if draw(st.integers(0, 3)) == 0:
        return lifted(at, subject)
    made = action(
        subject,
        draw(SEQUENCES),
        mode=draw(st.sampled_from(["enforce", "enforce", "shadow"])),
        human_review=draw(st.integers(0, 5)) == 0,
        expires_at=at + draw(st.sampled_from([-1, 20 * SECOND, HOUR])),
    )
    return Published(subject, made, at)


@st.composite
def answers(draw: st.DrawFn) -> Ack:
    return ack(
        draw(st.sampled_from(OUTCOMES)),
        draw(TIMES) + draw(st.integers(0, 1)),
        draw(st.sampled_from(SUBJECTS)),
        draw(SEQUENCES),
        enforcer=draw(st.sampled_from(ENFORCERS)),
        detail=draw(st.sampled_from([None, "policy"])),
    )


@given(histories(), st.lists(st.integers(0, 20), max_size=4), st.integers(0, 300))
def test_any_order_of_arrival_gives_what_the_oracle_says(
    records: list[Record], pauses: list[int], seconds: int
) -> None:
    now = START + seconds * SECOND
    found = Reconciliation(within=WITHIN)
    for place, record in enumerate(records):
        if place in pauses:
            found.advance(min(now, START + place * 10 * SECOND))
        take(found, record)
    found.advance(now)
    told = list(found.pairs())
    # Same fields, same order.
    assert {Told(*msgspec.structs.astuple(each)) for each in told} == oracle(
        records, now
    )

    state = found.state()
    wanted = [wanted_of(records, subject) for subject in SUBJECTS]
    assert state.desired == sum(
        w is not None and w.asked and now < w.until for w in wanted
    )
    for each in state.enforcers:
        mine = [p for p in told if p.enforcer == each.enforcer]
        counts = Counter(p.status for p in mine)
        assert (each.enforced, each.refused, each.pending, each.held) == tuple(
            counts[s] for s in ("enforced", "refused", "pending", "held")
        )
        late = [p for p in mine if p.overdue]
        assert each.overdue == sum(p.status == "pending" for p in late)
        assert each.releases_overdue == sum(p.status == "held" for p in late)
        assert {(o.subject, o.since) for o in each.oldest} == {
            (p.subject, p.since) for p in late
        }


@given(histories(), st.integers(0, 2**32))
def test_enforcers_that_keep_the_rules_are_never_overdue(
    records: list[Record], seed: int
) -> None:
    """The enforcers are real ones, in time order, each a little late."""
    log = [record for record in records if isinstance(record, Published)]
    log.sort(key=lambda record: record.at)
    chance = random.Random(seed)  # noqa: S311  an order, no secret
    acks: list[Record] = [
        ack("released", START - 1, "account:0", enforcer=e) for e in ENFORCERS
    ]
    end = START + 300 * SECOND
    views = {name: StandingActions() for name in ENFORCERS}
    for name, view in views.items():
        ticks = [(each.at + chance.randrange(4 * SECOND), each) for each in log]
        moment = START
        for due, each in ticks:
            moment = max(moment, due)
            changes = view.expire(moment)
            if each.action is None:
                changes += view.lift(each.subject)
            else:
                changes += view.upsert(each.action, moment)
            acks += [answer(change, moment, name) for change in changes]
        acks += [answer(change, end, name) for change in view.expire(end)]
    topics: list[list[Record]] = [
        [each for each in log if each.subject == subject] for subject in SUBJECTS
    ]
    for name in ENFORCERS:
        topics += [
            [
                e
                for e in acks
                if isinstance(e, Ack) and (e.enforcer, e.subject) == (name, s)
            ]
            for s in ("account:0", *SUBJECTS)
        ]
    arrived: list[Record] = []
    while topics := [each for each in topics if each]:
        arrived.append(chance.choice(topics).pop(0))
    found = reconciled(arrived, end)
    assert found.state().well
    for state in found.state().enforcers:
        held = [e for e in views[state.enforcer] if e.withheld is None]
        assert (state.enforced, state.pending) == (len(held), 0)
        assert state.desired == len(held)


def answer(change: Any, moment: int, enforcer: str) -> Ack:
    made = change.action
    return ack(change.outcome, moment, made.subject, made.sequence, enforcer=enforcer)


# One rule after the other.


def test_an_action_is_pending_then_overdue_then_enforced() -> None:
    found = reconciled([published()], START + LIMIT, "edge-1")
    assert only(found).pending == 1
    assert found.state().well
    found.advance(START + LIMIT + 1)
    assert not found.state().well
    assert only(found).overdue == 1
    found.take_ack(ack("applied", START + 12_500))
    found.advance(START + 13_000)
    assert found.state().well
    told = pair(found)
    assert told is not None
    assert (told.status, told.latency) == ("enforced", 12.5)
    latencies, refused = found.take_measurements()
    assert [(each.rung, each.seconds) for each in latencies] == [("throttle", 12.5)]
    assert not refused
    assert found.take_measurements() == ([], Counter())
    assert only(found).p99 == 12.5


def test_a_refusal_is_an_answer_and_is_counted_once() -> None:
    refusal = ack("refused", START + 1, detail="too many subjects")
    found = reconciled([published(), refusal, refusal], START + HOUR - 1)
    assert found.state().well
    assert (only(found).refused, only(found).refusals) == (1, {"too many subjects": 1})
    assert found.take_measurements() == ([], Counter({"edge-1": 1}))


def test_a_release_that_is_not_honoured_is_overdue_until_it_is() -> None:
    found = reconciled(
        [published(), ack("applied", START + 1), lifted(START + 5 * SECOND)],
        START + 5 * SECOND + LIMIT,
    )
    assert (only(found).held, found.state().well) == (1, True)
    found.advance(START + 6 * SECOND + LIMIT)
    assert (only(found).releases_overdue, found.state().desired) == (1, 0)
    found.take_ack(ack("released", START + 30 * SECOND))
    found.advance(START + 31 * SECOND)
    assert found.state().well
    assert pair(found) is None


def test_an_expiry_that_is_not_honoured_is_overdue() -> None:
    applied = [published(expires_at=START + SECOND), ack("applied", START)]
    found = reconciled(applied, START)
    assert only(found).enforced == 1
    found.advance(START + SECOND + LIMIT + 1)  # no record says so, only time
    assert only(found).releases_overdue == 1
    found.take_ack(ack("expired", START + SECOND))
    found.advance(START + SECOND + LIMIT + 2)
    assert found.state().well


@pytest.mark.parametrize("change", [{"mode": "shadow"}, {"human_review": True}])
def test_what_is_not_to_be_enforced_is_not_desired(change: dict[str, Any]) -> None:
    found = reconciled([published(**change)], START + HOUR - 1, "edge-1")
    assert (found.state().desired, pair(found)) == (0, None)
    # It takes the place of what was enforced, which has to end then.
    found = reconciled(
        [published(), ack("applied", START), published(2, START + SECOND, **change)],
        START + SECOND + LIMIT + 1,
    )
    assert only(found).releases_overdue == 1


def test_an_enforcer_that_stops_what_stands_is_overdue() -> None:
    found = reconciled(
        [published(), ack("applied", START), ack("released", START + SECOND)],
        START + SECOND + LIMIT + 1,
    )
    assert only(found).overdue == 1


def test_a_start_without_memory_settles_what_had_ended_before_it() -> None:
    stands, gone, late = "account:1", "account:2", "account:3"
    start = START + 60 * SECOND
    records: list[Record] = [
        *(Published(s, action(s), START) for s in (stands, gone, late)),
        *(ack("applied", START + 1, s) for s in (stands, gone, late)),
        lifted(START + 30 * SECOND, gone),
    ]
    found = reconciled(records, start)
    assert only(found).releases_overdue == 1
    found.take_ack(ack("applied", start, stands))
    found.take_ack(ack("applied", start + 1, late))
    found.take_action(late, None, start + 2)
    found.advance(start + LIMIT + 3)
    # What it holds since its start it has to lift, and to say so.
    assert [each.subject for each in only(found).oldest] == [late]


def test_the_first_acknowledgement_is_when_an_enforcer_without_a_name_joins() -> None:
    old = Published("account:2", action("account:2"), START - HOUR)
    records: list[Record] = [published(), old, ack("applied", START + 1)]
    found = reconciled(records, START + LIMIT)
    assert found.state().well  # it has only just come
    found.advance(START + LIMIT + 2)
    assert only(found).overdue == 1
    found.take_ack(ack("applied", START + LIMIT, "account:2"))
    found.advance(START + LIMIT + 3)
    # An hour is no time that it took.
    assert [each.seconds for each in found.take_measurements()[0]] == [0.001]
    named = reconciled(
        [*records, ack("applied", START + 2, "account:2")], START + 3, "edge-1"
    )
    assert sorted(each.seconds for each in named.take_measurements()[0]) == [
        0.001,
        3600.002,
    ]


def test_enforcers_are_expected_for_a_day_after_they_were_heard() -> None:
    month = START + 30 * DAY
    found = reconciled(
        [published(expires_at=month), ack("applied", START)], START + EXPECTED_FOR
    )
    assert only(found).enforcer == "edge-1"
    found.advance(START + EXPECTED_FOR + 1)
    assert found.state().enforcers == ()
    assert found.state().well  # it was acknowledged
    later = START + 2 * DAY
    found.take_action("account:2", action("account:2", expires_at=month), later)
    found.advance(later + LIMIT + 1)
    state = found.state()
    assert (state.unanswered, state.unanswered_since, state.heard_at) == (
        1,
        later,
        START,
    )
    assert not state.well
    found.take_ack(ack("applied", later + 2 * LIMIT, "account:2"))
    found.advance(later + 2 * LIMIT)
    assert (only(found).enforced, found.state().well) == (2, True)


def test_nobody_ever_acknowledging_anything_is_not_well() -> None:
    found = reconciled([published()], START + LIMIT)
    assert found.state().well
    found.advance(START + LIMIT + 1)
    state = found.state()
    assert (state.unanswered, state.heard_at, state.well) == (1, None, False)
    assert reconciled([], START).state().well


def test_what_is_older_than_the_acknowledgements_kept_is_not_overdue() -> None:
    other = ack("applied", START + 8 * DAY, "account:2")
    found = reconciled(
        [published(expires_at=START + 30 * DAY), other], START + 8 * DAY + LIMIT + 1
    )
    assert (only(found).overdue, only(found).too_old) == (0, 1)
    assert (
        reconciled([published(expires_at=START + 30 * DAY)], START + 8 * DAY)
        .state()
        .well
    )


def test_acknowledgements_of_enforcers_that_are_not_named_do_not_count() -> None:
    found = reconciled(
        [published(), ack("applied", START, enforcer="edge-2")], START + 1, "edge-1"
    )
    assert (only(found).enforcer, only(found).pending) == ("edge-1", 1)


def test_what_is_settled_is_forgotten_and_does_not_come_back() -> None:
    found = Reconciliation(within=WITHIN, enforcers=["edge-1"])
    for number in range(500):
        subject = f"account:{number}"
        found.take_action(subject, action(subject, 3), START)
        found.take_ack(ack("applied", START, subject, 3))
        if number:
            found.take_action(subject, None, START + 1)
            found.take_ack(ack("released", START + 2, subject, 3))
        found.take_ack(ack("applied", START, f"account:unknown-{number}"))
    found.advance(START + 3)
    assert len(found) == 1000
    found.advance(START + 2 + KEPT)
    assert len(found) == 1  # account:0 has expired, and nobody said so
    found.advance(START + HOUR + GIVE_UP)
    assert only(found).releases_overdue == 1
    found.advance(START + HOUR + GIVE_UP + 1)
    assert (only(found).releases_overdue, only(found).too_old) == (0, 1)
    found.advance(START + HOUR + GIVE_UP + KEPT)
    assert len(found) == 0
    found.take_action(
        "account:7", action("account:7", 3, expires_at=START + 9 * DAY), START
    )
    assert len(found) == 0  # a repeat of what was lifted
    found.take_action(
        "account:7", action("account:7", 4, expires_at=START + 9 * DAY), START
    )
    found.advance(START + HOUR + GIVE_UP + KEPT)
    assert found.state().desired == 1


def test_an_enforcer_that_is_silent_for_longer_than_acks_are_kept_is_forgotten() -> (
    None
):
    month = START + 30 * DAY
    found = reconciled([published(expires_at=month), ack("applied", START)], START)
    found.advance(START + 8 * DAY)
    assert found.state().heard_at is None
    found.take_ack(ack("applied", START + 8 * DAY, "account:2"))
    found.advance(START + 8 * DAY)
    assert only(found).pending == 1


def test_a_thousand_names_are_the_limit() -> None:
    found = Reconciliation(within=WITHIN)
    for number in range(1001):
        found.take_ack(ack("applied", START, enforcer=f"pod-{number}"))
    found.advance(START)
    assert (len(found.state().enforcers), found.ignored_enforcers) == (1000, 1)


@pytest.mark.parametrize("within", [0, -1, float("nan")])
def test_a_limit_that_is_none_is_refused(within: float) -> None:
    with pytest.raises(ConfigError, match="within"):
        Reconciliation(within=within)
