"""Two policies over one history: each treats everybody as it would alone."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from event_streams import EPOCH, Burst, campaign, records
from hypothesis import given, settings
from hypothesis import strategies as st
from lenient_reference import lenient_reference
from msgspec.structs import astuple

from streams.contracts.records import Action, Mode, decode_record, encode_record
from streams.engine import replay as replay_module
from streams.engine.backtest import Backtest, Side, backtest
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.replay import Pipeline, ScheduledEntry, replay
from streams.engine.stages import Topology
from streams.policy.control_entries import allowlist_entry
from streams.policy.ladder import LADDER, RUNGS
from streams.policy.policy import Policy, Scenario

TOPOLOGY = Topology(request_partitions=3, facet_partitions=2, link_partitions=1)
MINUTE = 60_000
STREAM = campaign(12, 20)
VALUES = [record.value for record in records(STREAM) if record.value is not None]
SHIPPED = Policy(version="present")
NOBODY = Policy(version="nobody", scenarios=(Scenario(name="none", when="false"),))


def pipeline(policy: Policy, mode: Mode = "enforce") -> Pipeline:
    """Make a small pipeline that finds campaigns within a few hundred exchanges."""
    made = Pipeline(topology=TOPOLOGY)
    stage = CampaignsStage(
        0,
        facet_partitions=TOPOLOGY.facet_partitions,
        reference=lenient_reference(),
        mode=mode,
    )
    stage.use_policy(policy)
    made.stages["llm.links"] = [stage]
    return made


def compare(
    present: Policy,
    changed: Policy,
    *,
    mode: Mode = "enforce",
    entries: Iterable[ScheduledEntry] = (),
    since: int = 0,
) -> Backtest:
    history = ((value, None) for value in VALUES)
    pair = pipeline(present, mode), pipeline(changed, mode)
    return backtest(history, *pair, entries=entries, since=since)


def hardest(policy: Policy) -> dict[str, Side]:
    """Replay under one policy alone."""
    rungs: dict[str, list[int]] = {}
    for output in replay(VALUES, pipeline(policy)):
        if output.topic == "llm.actions" and output.value is not None:
            action = decode_record(Action, output.value)
            own = rungs.setdefault(action.subject, [-1, -1])
            rung = RUNGS.index(action.rung)
            own[0] = max(own[0], rung)
            own[1] = max(own[1], rung if action.mode == "enforce" else -1)
    return {
        subject: Side(RUNGS[rung], RUNGS[enforced] if enforced >= 0 else None)
        for subject, (rung, enforced) in rungs.items()
    }


def test_the_same_policy_treats_nobody_differently() -> None:
    result = compare(SHIPPED, msgspec.structs.replace(SHIPPED, version="other"))
    assert (result.events, result.refused) == (len(VALUES), 0)
    assert result.changes == ()
    assert result.campaigns == (1, 1)
    assert result.rungs
    for each in result.rungs:
        assert each.subjects[0] == each.subjects[1]
        assert each.hours[0] == each.hours[1] > 0
    total = sum(each.subjects[0] for each in result.rungs)
    assert total == len(hardest(SHIPPED)) > 0


def test_a_policy_for_nobody_takes_every_action_away() -> None:
    alone = hardest(SHIPPED)
    lost = compare(SHIPPED, NOBODY)
    assert [each.subject for each in lost.changes] == sorted(alone)
    assert {each.kind for each in lost.changes} == {"loses"}
    assert {each.subject: each.before for each in lost.changes} == alone
    assert {each.after for each in lost.changes} == {Side()}
    assert all(each.campaign_id.startswith("dc-") for each in lost.changes)
    gained = compare(NOBODY, SHIPPED)
    assert {each.kind for each in gained.changes} == {"gains"}
    assert [(g.after, g.before) for g in gained.changes] == [
        (each.before, each.after) for each in lost.changes
    ]


POLICIES = st.builds(
    Scenario,
    name=st.just("a"),
    mode=st.sampled_from(["shadow", "inherit"]),
    percentage=st.sampled_from([0.0, 50.0, 100.0]),
    ladder=st.sampled_from([LADDER[:1], LADDER[:2], LADDER]),
    direct=st.booleans(),
    when=st.sampled_from(["true", "account.uses > 9", "size(account.id) % 2 == 0"]),
).map(lambda scenario: Policy(version="x", scenarios=(scenario,)))


@given(POLICIES, POLICIES)
@settings(max_examples=15)
def test_each_policy_acts_as_if_it_were_alone(one: Policy, other: Policy) -> None:
    before, after = hardest(one), hardest(other)
    result = compare(one, other)
    expected = {
        subject: (before.get(subject, Side()), after.get(subject, Side()))
        for subject in sorted(before.keys() | after.keys())
        if before.get(subject) != after.get(subject)
    }
    told = {each.subject: (each.before, each.after) for each in result.changes}
    assert told == expected
    for place, sides in enumerate((before, after)):
        for count in result.rungs:
            rungs = [side.rung for side in sides.values()]
            enforced = [side.enforced for side in sides.values()]
            assert count.subjects[place] == rungs.count(count.rung)
            assert count.enforced[place] == enforced.count(count.rung)
    for each in result.changes:
        (own, was), (then, now) = (
            tuple(-1 if rung is None else RUNGS.index(rung) for rung in both)
            for both in (astuple(each.before), astuple(each.after))
        )
        expected_kind = {
            own < 0: "gains",
            then < 0: "loses",
            0 <= own < then: "harder",
            0 <= then < own: "milder",
            own == then and was < now: "enforced",
            own == then and now < was: "shadow",
        }
        assert each.kind == expected_kind[True]


def test_a_shadow_scenario_keeps_the_actions_and_enforces_none() -> None:
    shadow = Policy(version="s", scenarios=(Scenario(name="s", mode="shadow"),))
    result = compare(SHIPPED, shadow)
    assert {each.kind for each in result.changes} == {"shadow"}
    assert all(each.enforced[1] == 0 for each in result.rungs)
    assert compare(SHIPPED, shadow, mode="shadow").changes == ()


def test_a_shorter_action_shows_in_the_hours() -> None:
    short = tuple(msgspec.structs.replace(step, minutes=5) for step in LADDER)
    result = compare(
        SHIPPED, Policy(version="s", scenarios=(Scenario(name="s", ladder=short),))
    )
    assert sum(each.hours[1] for each in result.rungs) < sum(
        each.hours[0] for each in result.rungs
    )


def test_operators_entries_count_under_both_policies() -> None:
    subject = min(hardest(SHIPPED))
    entry = allowlist_entry(subject, author="ana", reason="ours", created_at=0)
    scheduled = [ScheduledEntry(-1, entry.entry_id, encode_record(entry))]
    lost = compare(SHIPPED, NOBODY, entries=scheduled)
    assert subject not in {each.subject for each in lost.changes}
    gained = compare(NOBODY, SHIPPED, entries=scheduled)
    assert [each.subject for each in gained.changes] == [
        each.subject for each in lost.changes
    ]
    assert len(gained.changes) == len(hardest(SHIPPED)) - 1


def test_events_before_the_time_asked_for_are_left_out() -> None:
    last = EPOCH + max(burst.jump for burst in STREAM)
    assert compare(SHIPPED, NOBODY, since=(last + 10**6) * MINUTE).events == 0
    whole = compare(SHIPPED, NOBODY, since=EPOCH * MINUTE)
    half = compare(SHIPPED, NOBODY, since=(EPOCH + 60) * MINUTE)
    assert whole.events == len(VALUES) > half.events > 0


def test_what_cannot_be_read_is_counted_and_the_batches_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = [*STREAM, Burst(0, 9, 3, 3, "broken")]
    history = [
        (record.value, record.timestamp)
        for record in records(stream)
        if record.value is not None
    ]
    told: list[int] = []
    pair = pipeline(SHIPPED), pipeline(NOBODY)
    whole = backtest(history, *pair, progress=told.append)
    assert whole.refused == 3
    assert sum(told) == len(history)
    monkeypatch.setattr(replay_module, "_BATCH", 17)
    assert backtest(history, pipeline(SHIPPED), pipeline(NOBODY)) == whole
