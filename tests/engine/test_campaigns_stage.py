"""Campaigns, alerts and actions are the same for any cut, order or crash."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

import msgspec
import pytest
from event_streams import Burst, Record, bursts, campaign, records
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lenient_reference import decisions, lenient_reference, news, trail
from stage_runs import Run, Step, as_log, interleave, run, steps

from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import ABSORBED
from streams.contracts.records import Action, Alert
from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.contracts.time_units import MINUTES_PER_DAY
from streams.engine import campaigns_stage
from streams.engine.accounts_stage import AccountsStage
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.facets_stage import FacetsStage
from streams.engine.group_tests import CONFIRMING_LEVEL
from streams.engine.marked_rows import MARKER
from streams.engine.stage import Chunk, Output, Row
from streams.errors import StateError
from streams.models.likeness import Likeness
from streams.policy.budget import earned
from streams.policy.budget_ledger import budget_days
from streams.policy.ladder import LADDER

_SOURCES = 2


def make() -> CampaignsStage:
    return CampaignsStage(
        0, facet_partitions=_SOURCES, reference=lenient_reference(), mode="shadow"
    )


def make_sharing() -> CampaignsStage:
    """Make a stage whose reference knows groups by infrastructure, too."""
    reference = lenient_reference(sharing=True)
    return CampaignsStage(
        0, facet_partitions=_SOURCES, reference=reference, mode="shadow"
    )


def links(stream: Sequence[Burst], plan: Sequence[Step] = ()) -> list[list[Output]]:
    """Give what the facets stages send of a stream, cut as planned."""

    def accounts() -> AccountsStage:
        likeness = Likeness({"templated": 6.0}, intercept=-2.0)
        return AccountsStage(
            0, facet_partitions=_SOURCES, likeness=likeness, max_future_hours=24
        )

    sums = run(accounts, [*records(stream), *_closing(stream)], plan).outputs
    return [
        run(
            lambda source=source: FacetsStage(source, request_partitions=1),  # type: ignore[misc] # a default binds the loop's value
            as_log(sums, source),
            _FINELY if plan else (),
        ).outputs
        for source in range(_SOURCES)
    ]


def _closing(stream: Sequence[Burst]) -> list[Record]:
    """Make an event behind the stream that closes all of its minutes."""
    last = records([*stream, Burst(99, 3, 3, 1, "bare")])[-1]
    return [last]


def snapshot(stage: CampaignsStage) -> tuple[object, ...]:
    state, graph = stage.state, stage.graph
    return (
        graph.accounts,
        graph.facets,
        graph.members,
        stage.groups.by_number,
        state.campaigns,
        state.standing,
        state.operation,
        state.controls.entries,
    )


def check_same(one: Run, other: Run) -> None:
    assert news(one.outputs) == news(other.outputs)
    assert trail(one.outputs) == trail(other.outputs)
    assert snapshot(one.stage) == snapshot(other.stage)


# Two campaigns that have nothing in common, until everybody uses everything. The second
# begins later, and is taken in at a minute in which nobody uses its template.
_MERGING = [
    *(Burst(n, 5 * (n % 6 == 0), n // 6, 3, "plain") for n in list(range(12)) * 6),
    *(Burst(n, 9 * (n == 0), r % 3, 3, "plain") for r in range(9) for n in range(12)),
]
# A campaign of one template takes up a model that it had never used.
_PIVOTING = [
    *(Burst(n, 7 * (n == 0), 0, 3, "plain") for n in list(range(8)) * 24),
    *(Burst(n, 7 * (n == 0), 0, 1, "pivot") for n in list(range(8)) * 4),
]
# Nobody uses a template; payments and networks go round among all accounts.
_SHARING = [Burst(n % 12, n % 12 == 0, 3, 2, "plain") for n in range(240)]
# The same accounts fill in templates later on.
_SHARING_FIRST = [*_SHARING, *campaign(12, 24)]
_LONG = [*campaign(8, 24), *campaign(8, 3, gap=1500), *campaign(9, 9, gap=700)]
_FLUSHES = [Step("take", 14), Step("flush", 0)] * 36

_FINELY = [Step("take", 1), Step("advance", 0)] * 60
_CRASHES = [
    Step(*step)
    for way in range(40)
    for step in (("take", 4), ("flush", 0), ("take", 1), ("crash", way % 3))
]
_CHOICES = st.lists(st.integers(0, _SOURCES - 1), max_size=12)


@given(bursts(accounts=9, most=40), steps(crashes=True), _CHOICES)
@example(_LONG, _FLUSHES, [0, 1, 1, 0, 1, 1])
@example(_MERGING, _FLUSHES, [0, 1, 1, 0, 1, 1])
@example(_PIVOTING, _FLUSHES, [0, 1, 1, 0, 1, 1])
@example(_SHARING_FIRST, _FLUSHES, [0, 1, 1, 0, 1, 1])
@settings(max_examples=40)
def test_the_cut_and_the_order_of_sources_do_not_matter(
    stream: list[Burst], plan: list[Step], choices: list[int]
) -> None:
    one = run(make_sharing, as_log(interleave(links(stream), ())))
    log = as_log(interleave(links(stream, plan), choices))
    finely = [Step("take", 1), Step("advance", 0)] * len(log)
    check_same(one, run(make_sharing, log, finely))


@given(bursts(accounts=9, most=40), steps(crashes=False), steps(crashes=True))
@example(_LONG, _FLUSHES, _CRASHES)
@example(_MERGING, _FLUSHES, _CRASHES)
@example(_PIVOTING, _FLUSHES, _CRASHES)
@example(_SHARING_FIRST, _FLUSHES, _CRASHES)
@settings(max_examples=60)
def test_restarts_do_not_matter(
    stream: list[Burst], cut: list[Step], plan: list[Step]
) -> None:
    log = as_log(interleave(links(stream, cut), [0, 1] * 20))
    one, other = run(make_sharing, log, plan), run(make_sharing, log)
    check_same(one, other)
    assert one.stage.applied_offset == other.stage.applied_offset


def test_a_campaign_is_found_and_its_accounts_climb_rung_by_rung() -> None:
    read = news(run(make, as_log(interleave(links(_LONG), ()))).outputs)
    alerts = {key: thread for key, thread in read.items() if key.startswith("dc-")}
    assert alerts
    assert all(thread[0].kind == "campaign_found" for thread in alerts.values())  # type: ignore[union-attr] # alerts only
    rungs = [step.rung for step in LADDER]
    climbed = 0
    for subject in read.keys() - alerts.keys():
        assert subject.startswith("account:")
        actions = [one for one in read[subject] if isinstance(one, Action)]
        for before, after in zip([None, *actions], actions, strict=False):
            now = rungs.index(after.rung)
            if before is None or after.issued_at >= before.expires_at:
                assert now == 0
            else:
                assert rungs.index(before.rung) <= now <= rungs.index(before.rung) + 1
                assert after.issued_at > before.issued_at
            assert after.mode == "shadow"
            assert after.campaign_id in alerts
            assert after.human_review == (after.rung == "suspend")
            climbed = max(climbed, now)
    assert climbed >= 2


def test_merged_campaigns_go_on_as_one() -> None:
    ended = run(make, as_log(interleave(links(_MERGING), ())))
    alerts = [
        record
        for thread in news(ended.outputs).values()
        for record in thread
        if isinstance(record, Alert)
    ]
    assert "campaign_merged" in {alert.kind for alert in alerts}
    stage: CampaignsStage = ended.stage
    assert set(stage.state.campaigns) <= set(stage.groups.by_number)
    groups = {node.group for node in stage.graph.facets.values()}
    assert groups - {0, ABSORBED} == set(stage.groups.by_number)


def _alerts(outputs: Sequence[Output]) -> list[Alert]:
    """Read the alerts about campaigns, in order."""
    read = (one for thread in news(outputs).values() for one in thread)
    found = [one for one in read if isinstance(one, Alert)]
    found = [one for one in found if one.campaign_id.startswith("dc-")]
    return sorted(found, key=lambda one: (one.occurred_at, one.sequence))


def test_accounts_that_share_without_templates_are_told_of_and_let_be() -> None:
    ended = run(make_sharing, as_log(interleave(links(_SHARING), ())))
    alerts = _alerts(ended.outputs)
    assert alerts[0].kind == "campaign_found"
    assert "payments or networks" in alerts[0].summary
    [campaign_] = ended.stage.state.campaigns.values()
    [number] = ended.stage.state.campaigns
    group = ended.stage.groups.by_number[number]
    assert group.infrastructure
    # Two payments have no network in common, and are two groups of one payer.
    assert sorted(group.uses) == [f"account-{n}" for n in range(3, 9)]
    assert {one.campaign_id for one in alerts} == {campaign_.identifier}
    # To share is no evidence against anybody.
    assert {one.topic for one in ended.outputs} == {"llm.alerts", "llm.decisions"}


def test_templates_take_over_a_campaign_found_by_sharing_under_its_name() -> None:
    ended = run(make_sharing, as_log(interleave(links(_SHARING_FIRST), ())))
    alerts = _alerts(ended.outputs)
    first, *_ = alerts
    [(number, campaign_)] = ended.stage.state.campaigns.items()
    assert first.kind == "campaign_found"
    assert campaign_.identifier == first.campaign_id
    assert campaign_.started == first.started_at // 60_000
    assert not ended.stage.groups.by_number[number].infrastructure
    merged = [one for one in alerts if one.kind == "campaign_merged"]
    assert merged
    assert {one.campaign_id for one in merged} <= {*campaign_.names}
    found = [one.campaign_id for one in alerts if one.kind == "campaign_found"]
    assert set(found) == set(campaign_.names)
    assert "llm.actions" in {one.topic for one in ended.outputs}


def test_one_customer_or_one_place_is_not_even_tested() -> None:
    together = [Burst(n % 3, n % 3 == 0, 3, 2, "plain") for n in range(240)]
    ended = run(make_sharing, as_log(interleave(links(together), ())))
    assert ended.outputs == []


def test_a_move_to_a_new_model_is_told_once() -> None:
    ended = run(make, as_log(interleave(links(_PIVOTING), ())))
    [thread] = [t for key, t in news(ended.outputs).items() if key.startswith("dc-")]
    moves = [one for one in thread if getattr(one, "kind", "") == "campaign_pivoted"]
    summaries = [getattr(one, "summary", "") for one in moves]
    assert ["newest" in summary for summary in summaries] == [True] * len(moves)
    assert summaries
    assert "begins to use model newest, new to it" in summaries[0]
    [campaign_] = ended.stage.state.campaigns.values()
    assert campaign_.pivots == ["newest"]


def test_rows_of_another_layout_are_refused_in_words() -> None:
    stage: CampaignsStage = run(make, as_log(interleave(links(_LONG), ()))).stage
    facet = next(iter(stage.graph.facets))
    old = msgspec.msgpack.encode([0, "name", 1, 1, 1.0, "pivot", []])
    row = Row(b"f" + facet.to_bytes(8, "little"), old)
    marker = Row(MARKER, msgspec.msgpack.encode([0, -1, [-1, -1]]))
    with pytest.raises(StateError, match="new app_id"):
        make().restore([row, marker])


def test_a_campaign_is_paid_for_once_and_confirmed_for_nothing() -> None:
    told = decisions(run(make, as_log(interleave(links(_LONG), ()))).outputs)
    tests = [each for each in told if each.kind == "tested"]
    confirming = [each for each in tests if each.confirmations > 1]
    assert confirming
    assert all(each.budget_left == 0 for each in confirming)
    paid = [each.campaign_id for each in tests if each.budget_left and each.campaign_id]
    assert paid
    assert len(paid) == len(set(paid))
    for each in confirming:
        assert each.level == CONFIRMING_LEVEL


def test_each_find_adds_to_the_budget_of_its_day() -> None:
    ended = run(make, as_log(interleave(links(_MERGING), ())))
    operation = ended.stage.state.operation
    (day,) = budget_days(decisions(ended.outputs))
    assert operation.budget.finds == day.rejected >= 2
    assert math.isclose(day.earned, earned(day.rejected))
    minute = operation.budget.day * MINUTES_PER_DAY
    assert math.isclose(day.left, operation.budget.left(minute))
    assert math.isclose(day.left + day.spent, day.daily + day.earned)


def test_a_harmless_stream_gives_no_news() -> None:
    stream = [Burst(n % 9, 1, 3, 5, "plain") for n in range(90)]
    assert run(make, as_log(interleave(links(stream), ()))).outputs == []


def test_records_of_others_are_refused_one_by_one() -> None:
    nonsense = StageBatch(0, 0, last=True, closed_minute=5, payload=b"\xc1")
    stranger = StageBatch(7, 0, last=True, closed_minute=5, payload=b"\x90")
    batches = [encode_batch("MemberLinks", batch) for batch in (nonsense, stranger)]
    stage = make()
    rejected = stage.take(Chunk(range(4), [None, b"\xc3\x01", *batches], [0] * 4))
    assert [refusal.offset for refusal in rejected] == [0, 1, 2, 3]
    assert stage.applied_offset == 4
    assert stage.advance() == []


def test_all_traffic_of_the_last_day_is_known() -> None:
    stream = [Burst(n % 9, 60, 3, 5, "alone") for n in range(40)]
    stage: CampaignsStage = run(make, as_log(interleave(links(stream), ()))).stage
    assert stage.state.operation.traffic.total() == 24 * 5
    assert not stage.graph.facets


@pytest.mark.parametrize("stream", [_MERGING, _LONG, [*campaign(12, 60)]])
def test_a_group_is_compared_when_it_has_grown(
    stream: list[Burst], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing at each doubling of any facet gives the same, and costs more."""
    log = as_log(interleave(links(stream), ()))
    compared: list[int] = []

    def partners(groups: Groups, facet: int, campaigns: Container[int]) -> list[int]:
        compared.append(facet)
        return plain(groups, facet, campaigns)

    plain = Groups.partners
    monkeypatch.setattr(Groups, "partners", partners)
    grown = run(make, log)
    calls = len(compared)
    monkeypatch.setattr(campaigns_stage, "_GROWN", 0.0)
    always = run(make, log)
    assert calls <= len(compared) - calls
    assert trail(grown.outputs) == trail(always.outputs)
    groups = [each.stage.groups.by_number.values() for each in (grown, always)]
    assert [g.uses for g in groups[0]] == [g.uses for g in groups[1]]
    assert any(group.next_comparison for group in groups[0])
