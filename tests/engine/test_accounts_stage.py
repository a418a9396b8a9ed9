"""Neither chunks nor restarts change what comes of a stream of events."""

from __future__ import annotations

import pytest
from event_streams import EPOCH, Burst, bursts, campaign, chunk, event, records
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stage_runs import Run, Step, minutes, run, steps

from streams.contracts.codec import encode
from streams.engine.accounts_stage import LIKENESS_GATE, AccountsStage
from streams.engine.stage import Chunk, Row
from streams.errors import InvalidRecord, StateError
from streams.features.account_row import ACCOUNT_ROW, INFRASTRUCTURE_KINDS, TRAFFIC
from streams.features.model_traffic import model_hash
from streams.features.stable_hash import stable_hash
from streams.models.likeness import Likeness

# Opens the likeness gate for accounts that mostly use templates, not for others.
_LIKENESS = Likeness({"templated": 6.0, "peak_minute": 1.0}, intercept=-2.0)
_PARTITIONS = 2


def make() -> AccountsStage:
    return AccountsStage(
        0, facet_partitions=_PARTITIONS, likeness=_LIKENESS, max_future_hours=24
    )


def snapshot(stage: AccountsStage) -> tuple[dict[str, bytes], dict[str, bytes], int]:
    """All that must be the same: account rows and facet counts, to the bit."""
    rows, facets = stage.accounts.rows, stage.directory
    return (
        {
            account: rows[slot].tobytes()
            for slot, account in enumerate(stage.accounts.ids)
            if rows[slot]["version"]
        },
        {
            f"{INFRASTRUCTURE_KINDS[facets.kinds[at]]}:{name}": facets.counts[
                at
            ].tobytes()
            for at, name in enumerate(facets.names)
            if facets.counts[at]["accounts"]
        },
        stage.applied_offset,
    )


def check_same(one: Run, other: Run) -> None:
    assert snapshot(one.stage) == snapshot(other.stage)
    assert minutes(one.outputs) == minutes(other.outputs)
    assert one.rejected == other.rejected


_LONG = campaign(6, 14)
_LOSE = [Step("flush", 0), Step("crash", 0)]


@given(bursts(), steps(crashes=False))
@example(_LONG, [Step("take", 7), Step("flush", 0)] * 12)
@settings(max_examples=60)
def test_chunks_do_not_matter(stream: list[Burst], plan: list[Step]) -> None:
    log = records(stream)
    check_same(run(make, log, plan), run(make, log))


@given(bursts(), steps(crashes=True))
@example(_LONG, [Step("take", 20), Step("flush", 0), Step("crash", 5)] * 6)
@example(
    [Burst(0, 61, 3, 1, flavour) for flavour in ("alone", "alone", "bare", "bare")],
    [Step("take", 2), Step("flush", 0), Step("take", 1), *_LOSE],
)
@settings(max_examples=100)
def test_restarts_do_not_matter(stream: list[Burst], plan: list[Step]) -> None:
    log = records(stream)
    check_same(run(make, log, plan), run(make, log))


def test_one_record_at_a_time_is_the_same() -> None:
    log = records([*_LONG, *(Burst(n + 6, 1, 3, 30, "plain") for n in range(4))])
    plan = [Step("take", 1), Step("advance", 0)] * len(log)
    one, other = run(make, log, plan), run(make, log)
    check_same(one, other)
    likeness = one.stage.accounts.rows["likeness"]
    assert (likeness >= LIKENESS_GATE).any()
    assert (likeness < 0).any()


@given(bursts(most=12))
@settings(max_examples=30)
def test_applied_offset_is_the_first_event_of_the_open_minute(
    stream: list[Burst],
) -> None:
    log, stage = records(stream), make()
    minute, first = -1, 0
    for record in log:
        stage.take(chunk([record]))
        stage.advance()
        stage.dirty_rows()
        if stage.open_minute is None:
            first = record.offset + 1
        elif stage.open_minute > minute:
            minute, first = stage.open_minute, record.offset
        assert stage.applied_offset == first


def test_an_idle_partition_closes_and_what_comes_late_counts_later() -> None:
    stage = make()
    log = records([Burst(0, 0, 0, 3, "plain"), Burst(0, 5, 0, 3, "plain")])
    stage.take(chunk(log[:3]))
    assert minutes(stage.advance())[0].closed == EPOCH - 1
    stage.close_idle(EPOCH + 20)
    assert minutes(stage.advance())[0].closed == EPOCH + 20
    assert stage.applied_offset == 3
    stage.take(chunk(log[3:]))
    assert stage.open_minute == EPOCH + 21
    assert stage.advance() == []
    stage.close_idle(EPOCH + 21)
    rows = minutes(stage.advance())
    assert {row[0] for of in rows.values() for row in of.rows} == {EPOCH + 21}
    assert stage.accounts.rows["events"][0] == 6


def test_closing_again_or_earlier_does_nothing() -> None:
    stage = make()
    stage.take(chunk(records([Burst(0, 0, 0, 1, "plain")])))
    stage.close_idle(EPOCH)
    assert len(stage.advance()) == _PARTITIONS
    assert stage.dirty_rows()
    stage.close_idle(EPOCH - 3)
    stage.close_idle(EPOCH)
    assert stage.advance() == []
    assert not stage.dirty_rows()


_MONTH = 31 * 1440
_RETURN = [
    *(Burst(n, 1, 3, 2, "plain") for n in range(4)),
    *(Burst(n, n, 0, 3, "plain") for n in range(4, 8)),
    Burst(1, _MONTH, 3, 2, "alone"),  # of an organization now, and home again
    *(Burst(n, 1, 3, 1, "plain") for n in (5, 9)),
    Burst(2, 62 * 1440, 3, 1, "plain"),
    Burst(6, 1, 3, 1, "plain"),
]


def test_accounts_that_are_silent_for_a_month_are_forgotten() -> None:
    log = records(_RETURN[:-3])
    ended = run(make, log)
    # Accounts with templated exchanges are remembered for longer.
    known = {f"account-{n}" for n in (1, 4, 5, 6, 7)}
    assert set(ended.stage.accounts.ids) == known
    row = ended.stage.accounts.rows[ended.stage.accounts.slot_of("account-1")]
    assert row["events"] == 2
    assert row["first_minute"] == row["last_minute"] >= EPOCH + _MONTH
    assert int(row["owner"]) == stable_hash("organization:organization-0")
    assert "network-0" not in ended.stage.directory.names
    gone = [record.key for record in ended.rows if record.value is None]
    assert {b"aaccount-0", b"f\x00network-0"} <= set(gone)
    later = run(make, records(_RETURN))
    assert {"account-4", "account-7"} & set(later.stage.accounts.ids) == set()


@given(steps(crashes=True))
@example([Step("take", 1), Step("flush", 0)] * 40)
@example([Step("take", 29), Step("flush", 0), Step("crash", 1)])
@example([Step("take", 21), Step("flush", 0), Step("crash", 0)] * 3)
@settings(max_examples=60)
def test_forgetting_does_not_depend_on_chunks_and_restarts(plan: list[Step]) -> None:
    log = records(_RETURN)
    check_same(run(make, log, plan), run(make, log))


def test_every_facets_partition_is_told_that_minutes_closed() -> None:
    outputs = run(make, records([Burst(0, 0, 3, 1, "bare"), Burst(0, 9, 3, 1, "bare")]))
    told = minutes(outputs.outputs)
    model = model_hash("small")
    traffic = (EPOCH, model, "", TRAFFIC, 1, 0)
    assert told == {
        at: ([traffic] if at == model % _PARTITIONS else [], EPOCH + 8)
        for at in range(_PARTITIONS)
    }


def test_refused_requests_are_counted_and_are_no_evidence() -> None:
    stream = [Burst(n % 5, 1, 0, 3, "refused") for n in range(30)]
    ended = run(make, [*records([*stream, Burst(0, 1, 3, 1, "bare")])])
    rows = ended.stage.accounts.rows[:5]
    assert rows["refused"].tolist() == [18] * 5
    for field in ("events", "templated", "minute_peak", "tokens_in", "active_hours"):
        assert not rows[field].any()
    told = [row for about in minutes(ended.outputs).values() for row in about.rows]
    assert {row[3] for row in told} == {TRAFFIC}
    assert sum(row[4] for row in told) == 90


def test_an_event_from_the_future_is_refused_and_closes_nothing() -> None:
    stage = make()
    value = encode("RequestEvent", event(0, EPOCH + 1441, 0))
    ahead = Chunk([7], [value], [EPOCH * 60_000])
    [rejected] = stage.take(ahead)
    assert rejected.offset == 7
    assert isinstance(rejected.error, InvalidRecord)
    assert "24.0 h ahead" in str(rejected.error)
    assert stage.open_minute is None
    assert stage.applied_offset == 8
    allowed = Chunk([8], [value], [(EPOCH + 1) * 60_000])
    assert stage.take(allowed) == []


@given(st.integers(0, 255))
@settings(max_examples=10)
def test_state_of_another_layout_is_refused(version: int) -> None:
    rows = run(make, records(campaign(2, 3))).rows
    stage = make()
    stage.restore(rows)
    account = next(row for row in rows if row.key[:1] == b"a")
    assert account.value is not None
    other = bytes([version + 1 if version < 255 else 0])
    if other == account.value[:1]:
        other = b"\xff"
    with pytest.raises(StateError, match="layout version"):
        make().restore([Row(account.key, other + account.value[1:]), rows[-1]])
    with pytest.raises(StateError, match=f"{ACCOUNT_ROW.itemsize} bytes"):
        make().restore([Row(account.key, account.value[:-1]), rows[-1]])
