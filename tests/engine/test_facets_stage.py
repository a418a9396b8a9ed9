"""Facets know the same, however their sources are cut, interleaved or repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from event_streams import EPOCH, Burst, Record, bursts, campaign, records
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stage_runs import (
    LinkRow,
    Run,
    Step,
    UseRow,
    as_log,
    interleave,
    minutes,
    run,
    steps,
)

from streams.contracts.column_batch import pack_columns
from streams.contracts.stage_batch import StageBatch, encode_batch
from streams.engine import facets_stage
from streams.engine.accounts_stage import AccountsStage
from streams.engine.facets_stage import FacetsStage
from streams.engine.stage import Chunk, Output
from streams.errors import InvalidRecord, UndecodableRecord
from streams.features.account_row import (
    INFRASTRUCTURE_KINDS,
    TEMPLATE_KINDS,
)
from streams.features.facet_directory import facet_hash
from streams.models.likeness import Likeness

_SOURCES = 2


def make() -> FacetsStage:
    return FacetsStage(0, request_partitions=_SOURCES)


def sums(source: int, stream: Sequence[Burst], plan: Sequence[Step]) -> list[Output]:
    """Give what the accounts stage of one partition sends, cut as planned."""
    likeness = Likeness({"templated": 6.0}, intercept=-2.0)

    def accounts() -> AccountsStage:
        return AccountsStage(
            source, facet_partitions=1, likeness=likeness, max_future_hours=24
        )

    return run(accounts, records(stream, partition=source), plan).outputs


def links(ended: Run) -> tuple[list[LinkRow], int]:
    found, closed = told(ended)
    return [row for row in found if isinstance(row, LinkRow)], closed


def told(ended: Run) -> tuple[list[LinkRow | UseRow], int]:
    read = minutes(ended.outputs).get(0)
    return ([row for *_, row in read.rows], read.closed) if read else ([], -1)


def snapshot(stage: FacetsStage) -> tuple[object, ...]:
    """All that must be the same: the rows of all facets and members, to the bit."""
    facets, members = stage.facets, stage.members
    facets.touch(np.arange(len(facets)))
    members.touch(np.arange(len(members)))
    keys, rows = members.take_dirty(facets.rows["hash"])
    return dict(facets.take_dirty()), dict(zip(keys, rows, strict=True))


def check_same(one: Run, other: Run) -> None:
    assert snapshot(one.stage) == snapshot(other.stage)
    assert told(one) == told(other)


_LONG = campaign(6, 9)
_TWO = st.tuples(bursts(most=20), bursts(most=20))
_CHOICES = st.lists(st.integers(0, _SOURCES - 1), max_size=12)
_FLUSHES = [Step("take", 9), Step("flush", 0)] * 12
_CRASHES = [
    Step(*step)
    for way in range(9)
    for step in (("take", 4), ("flush", 0), ("take", 1), ("crash", way % 3))
]


@given(_TWO, st.tuples(steps(crashes=True), steps(crashes=False)), _CHOICES)
@example((_LONG, _LONG), (_FLUSHES, _FLUSHES[:5]), [0, 1, 1, 0, 1, 1])
@settings(max_examples=60)
def test_the_cut_and_the_order_of_sources_do_not_matter(
    streams: tuple[list[Burst], list[Burst]],
    plans: tuple[list[Step], list[Step]],
    choices: list[int],
) -> None:
    whole = [sums(source, streams[source], ()) for source in range(_SOURCES)]
    cut = [sums(source, streams[source], plans[source]) for source in range(_SOURCES)]
    one = run(make, as_log(interleave(whole, ())))
    log = as_log(interleave(cut, choices))
    other = run(make, log, [Step("take", 1), Step("advance", 0)] * len(log))
    check_same(one, other)


@given(_TWO, steps(crashes=False), _CHOICES, steps(crashes=True))
@example((_LONG, _LONG), _FLUSHES, [0, 1] * 8, _CRASHES)
@settings(max_examples=80)
def test_restarts_do_not_matter(
    streams: tuple[list[Burst], list[Burst]],
    cut: list[Step],
    choices: list[int],
    plan: list[Step],
) -> None:
    sources = [sums(source, streams[source], cut) for source in range(_SOURCES)]
    log = as_log(interleave(sources, choices))
    one, other = run(make, log, plan), run(make, log)
    check_same(one, other)
    assert one.stage.applied_offset == other.stage.applied_offset


@given(st.integers(2, 9), st.integers(1, 5), steps(crashes=True))
@settings(max_examples=25)
def test_degree_is_the_true_number_of_accounts(
    accounts: int, alone: int, plan: list[Step]
) -> None:
    streams = [
        [Burst(n, n % 3, 3, 2, "plain") for n in (*range(size), *range(size))]
        for size in (accounts, alone)
    ]
    log = as_log(interleave([sums(s, streams[s], plan) for s in range(_SOURCES)], ()))
    stage = run(make, [*log, *_closing(len(log))]).stage
    rows = stage.facets.rows[: len(stage.facets)]
    degrees = {
        kind - len(TEMPLATE_KINDS): degree
        for kind, degree in zip(rows["kind"].tolist(), rows["degree"], strict=True)
        if kind == len(TEMPLATE_KINDS) + 1
    }
    # Everybody has the one TLS fingerprint; a partition with one account says nothing.
    assert degrees == {1: accounts + (alone if alone > 1 else 0)}


def _closing(offset: int) -> list[Record]:
    """Make a batch of each source that closes everything."""
    late = [Burst(99, 40_000, 3, 1, "bare"), Burst(99, 1, 3, 1, "bare")]
    outputs = [
        output for source in range(_SOURCES) for output in sums(source, late, ())
    ]
    return [
        record._replace(offset=record.offset + offset) for record in as_log(outputs)
    ]


def test_a_template_links_nobody_before_five_owners_use_it() -> None:
    for owners in (4, 5):
        log = as_log(
            interleave([sums(0, campaign(owners, 6), ()), sums(1, [], ())], ())
        )
        found, _ = links(run(make, [*log, *_closing(len(log))]))
        templates = {row.kind for row in found if row.kind < len(TEMPLATE_KINDS)}
        assert bool(templates) == (owners == 5)


def test_accounts_of_one_organization_are_one_owner() -> None:
    stream = [burst._replace(flavour="alone") for burst in campaign(9, 6)]
    log = as_log(sums(0, stream, ()))
    stage = run(make, [*log, *_closing(len(log))]).stage
    assert stage.facets.rows["owners"].max() == 5
    assert stage.facets.rows["members"].max() == 9


def test_the_same_prompt_again_and_again_is_no_template() -> None:
    # Two fillings taken in turn pass the local gate; pooled, they are a repeated text.
    stream = [burst._replace(flavour="verbatim") for burst in campaign(6, 9)]
    log = as_log(sums(0, stream, ()))
    found, _ = links(run(make, [*log, *_closing(len(log))]))
    assert not [row for row in found if row.kind < len(TEMPLATE_KINDS)]


def test_rows_of_a_facet_that_becomes_suspect_tell_of_all_members_at_once() -> None:
    log = as_log(sums(0, campaign(6, 6), ()))
    found, closed = links(run(make, [*log, *_closing(len(log))]))
    assert closed > EPOCH
    by_facet: dict[int, list[LinkRow]] = {}
    for row in found:
        by_facet.setdefault(row.facet, []).append(row)
    for rows in by_facet.values():
        first = [row for row in rows if row.minute == rows[0].minute]
        assert len({row.account for row in first}) == len(first) >= 3
        assert all(row.last <= row.minute for row in rows)


def test_members_carry_their_infrastructure_whether_it_is_suspect_or_not() -> None:
    log = as_log(sums(0, campaign(6, 6), ()))
    found, _ = links(run(make, [*log, *_closing(len(log))]))
    named = [row for row in found if row.account == "account-5"]
    names = ("network-1", "tls", "client-1", "payment-1")
    pairs = zip(INFRASTRUCTURE_KINDS, names, strict=True)
    expected = tuple(facet_hash(kind, name) for kind, name in pairs)
    assert {row.infrastructure for row in named} == {expected}
    assert expected[3] not in {row.facet for row in found}


def test_all_traffic_is_told_once_a_minute() -> None:
    late = [Burst(0, 7, 3, 2, "bare"), Burst(1, 2, 3, 4, "late")]
    streams = ([*late, Burst(1, 2, 3, 1, "plain")], campaign(5, 3))
    log = as_log(interleave([sums(s, streams[s], ()) for s in range(_SOURCES)], ()))
    found, _ = told(run(make, [*log, *_closing(len(log))]))
    events = Counter[int]()
    for row in found:
        if isinstance(row, UseRow) and not row.facet:
            events[row.minute] += row.uses.exchanges
    # The last minute of each source is still open; those that close it come together.
    assert events == {EPOCH + 7: 16, EPOCH + 14: 10, EPOCH + 40_000: 2}


def test_models_are_told_of_suspect_templates_only_and_of_all_their_uses() -> None:
    log = as_log(sums(0, campaign(6, 9), ()))
    found, _ = told(run(make, [*log, *_closing(len(log))]))
    links_ = [row for row in found if isinstance(row, LinkRow)]
    uses = [row for row in found if isinstance(row, UseRow) and row.facet]
    suspect: dict[int, int] = {}
    for link in links_:
        if link.kind < len(TEMPLATE_KINDS):
            suspect.setdefault(link.facet, link.minute)
    exchanges = Counter[tuple[int, int]]()
    for use in uses:
        assert use.model in {"large", "small"}
        assert suspect[use.facet] <= use.minute
        exchanges[use.facet, use.minute] += use.uses.exchanges
    # A facet's exchanges, those of all members, grow by what is told, minute by minute.
    for facet, since in suspect.items():
        counts, grown = dict[str, int](), dict[int, int]()
        for link in links_:
            if link.facet == facet:
                counts[link.account] = link.count
                grown[link.minute] = sum(counts.values())
        minutes_ = sorted(grown)
        assert minutes_[0] == since
        for before, minute in pairwise(minutes_):
            assert exchanges[facet, minute] == grown[minute] - grown[before]


def test_members_forgotten_stay_forgotten_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facets_stage, "MAX_MEMBERS", 8)
    stream = [
        Burst(account, jump, 0, 2, "plain") for account in range(19) for jump in (1, 1)
    ]
    sources = [sums(source, stream, _FLUSHES) for source in range(_SOURCES)]
    log = as_log(interleave(sources, [0, 1] * 40))
    one = run(make, log)
    for way in range(8):
        plan = [
            *[Step("take", 1), Step("flush", 0)] * (len(log) - 1),
            Step("crash", way),
        ]
        other = run(make, log, plan)
        assert any(row.value is None for row in other.rows)
        check_same(one, other)
    assert one.stage.facets.rows["members"].max() <= 8


_MONTH = 31 * 1440
_RETURN = [
    *campaign(6, 9),
    *(burst._replace(jump=_MONTH * (n == 0)) for n, burst in enumerate(_LONG[:6])),
    *campaign(4, 3),
]


def test_what_is_silent_for_a_month_is_forgotten_and_starts_afresh() -> None:
    sources = [sums(source, _RETURN, ()) for source in range(_SOURCES)]
    log = as_log(interleave(sources, ()))
    ended = run(make, [*log, *_closing(len(log))])
    fresh = [sums(source, _RETURN[54:], ()) for source in range(_SOURCES)]
    only_new = run(make, as_log(interleave(fresh, ())))
    old, new = ended.stage, only_new.stage
    assert set(old.members.accounts) == set(new.members.accounts)
    hashes = old.facets.rows["hash"][: len(old.facets)]
    assert set(hashes) == set(new.facets.rows["hash"][: len(new.facets)])
    assert old.facets.rows["first"][: len(old.facets)].min() >= EPOCH + _MONTH
    assert {row.key for row in ended.rows if row.value is None}


@given(steps(crashes=True), _CHOICES, steps(crashes=True))
@example(_FLUSHES, [0, 1] * 8, _CRASHES * 3)
@settings(max_examples=25)
def test_forgetting_does_not_depend_on_cuts_and_restarts(
    cut: list[Step], choices: list[int], plan: list[Step]
) -> None:
    sources = [sums(source, _RETURN, cut) for source in range(_SOURCES)]
    log = as_log(interleave(sources, choices))
    check_same(run(make, log, plan), run(make, log))


def test_records_of_others_are_refused_one_by_one() -> None:
    log = as_log(sums(0, campaign(5, 3), ()))
    stage = make()
    value = log[0].value
    assert value is not None
    values = [value, None, b"\xc3\x01 nothing", value[:10], value]
    rejected = stage.take(Chunk(range(5), values, [0] * 5))
    assert [refusal.offset for refusal in rejected] == [1, 2, 3]
    assert stage.applied_offset == 0
    other = make()
    refused = other.take(Chunk([4], [None], [0]))
    assert "tombstones" in str(refused[0].error)
    assert other.applied_offset == 5


@pytest.mark.parametrize(
    "columns",
    [
        {"minute": np.zeros(1, "<i4")},
        {"sum_minute": np.zeros(1, "<i4")},
        {"sum_minute": ["1"]},
    ],
)
def test_a_payload_without_the_columns_is_refused(columns: dict[str, Any]) -> None:
    payload = pack_columns(columns)
    batch = StageBatch(0, 0, last=True, closed_minute=5, payload=payload)
    stranger = batch._replace(source_partition=_SOURCES, payload=pack_columns({}))
    values = [encode_batch("FacetSums", one) for one in (batch, stranger)]
    stage = make()
    columns_error, source_error = stage.take(Chunk(range(2), values, [0] * 2))
    assert isinstance(columns_error.error, UndecodableRecord)
    assert isinstance(source_error.error, InvalidRecord)
    assert stage.applied_offset == 2


def test_an_output_says_what_it_is() -> None:
    log = as_log(interleave([sums(s, campaign(5, 3), ()) for s in range(2)], ()))
    [output] = run(make, log).outputs
    assert (output.topic, output.partition, output.key) == ("llm.links", 0, b"0")
    assert output.type == "io.distillwatch.MemberLinks"
    assert output.timestamp == minutes([output])[0].closed * 60_000
