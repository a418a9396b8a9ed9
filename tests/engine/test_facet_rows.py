"""What the accounts stage tells the facets stage is what plain Python says it should.

One event at a time, with dictionaries and sets; how a chunk is cut plays no part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from account_oracle import Account, Event
from event_streams import Burst, bursts, campaign, records
from hypothesis import example, given, settings
from stage_runs import Step, minutes, run, steps

from streams.contracts.codec import decode
from streams.contracts.stage_batch import decode_batch
from streams.engine import facet_rows
from streams.engine.accounts_stage import LOOKS, TELLING_DAYS, AccountsStage
from streams.engine.facet_rows import MAX_FILLINGS
from streams.engine.sharing_gate import MOST_SHARING, YOUNG_MINUTES
from streams.features.account_row import (
    INFRASTRUCTURE_KINDS,
    NETWORK,
    PAYMENT,
    TEMPLATE_KINDS,
    TRAFFIC,
)
from streams.features.facet_directory import facet_hash
from streams.features.model_traffic import model_hash
from streams.features.stable_hash import stable_hash
from streams.models.likeness import Likeness
from streams.sketch.columns import sketch_columns, sketch_matrix

_FIELDS = ("network", "tls_ja4", "client", "payment")
_TEMPLATES = len(TEMPLATE_KINDS)
_NAMES_BYTES = 500
"""What the names and types of the columns take, once a part."""
_NEVER_LIKE = Likeness({}, intercept=-9.0)


class Use(NamedTuple):
    """An event that counts, with the minute in which it does."""

    minute: int
    account: str
    fields: dict[str, Any]
    templates: tuple[int, ...]
    exact: int
    markers: int


def uses(stream: Sequence[Burst]) -> Iterator[Use]:
    """Read a stream's good records, up to the last whole minute."""
    read = [
        decode("RequestEvent", record.value)
        for record in records(stream)
        if record.good and record.value is not None
    ]
    matrix, _ = sketch_matrix(pl.Series([e["sketch"] for e in read], dtype=pl.Binary))
    columns = sketch_columns(matrix)
    templates = zip(
        *(
            getattr(columns, kind.removeprefix("template_")).tolist()
            for kind in TEMPLATE_KINDS
        ),
        strict=True,
    )
    minute, found = -1, []
    for at, (fields, hashes) in enumerate(zip(read, templates, strict=True)):
        minute = max(minute, fields["occurred_at"] // 60_000)
        exact, markers = int(columns.exact[at]), int(columns.markers[at])
        account = fields["account_id"]
        found.append(Use(minute, account, fields, hashes, exact, markers))
    return (use for use in found if use.minute < minute)


def owner(use: Use) -> int:
    organization = use.fields["organization_id"]
    if organization is None:
        return stable_hash(f"account:{use.account}")
    return stable_hash(f"organization:{organization}")


def crowds(stream: Sequence[Burst]) -> dict[tuple[int, int, str], int]:
    """Count the accounts of facets by the end of each minute in which they are used."""
    users: dict[tuple[int, str], set[str]] = defaultdict(set)
    found: dict[tuple[int, int, str], int] = {}
    for use in uses(stream):
        for kind, field in enumerate(_FIELDS):
            name = use.fields[field]
            if name is not None and use.fields["enforced_action_id"] is None:
                users[kind, name].add(use.account)
                found[use.minute, kind, name] = len(users[kind, name])
    return found


def shares(
    use: Use, crowd: dict[tuple[int, int, str], int], *, young: bool
) -> set[int]:
    """Say which kinds travel because other accounts have the same facet."""

    def shared(kind: int) -> bool:
        many = crowd.get((use.minute, kind, use.fields[_FIELDS[kind]]), 0)
        return 2 <= many <= MOST_SHARING

    if not shared(PAYMENT):
        return {PAYMENT} if young and shared(NETWORK) else set()
    return {PAYMENT, NETWORK} if shared(NETWORK) else {PAYMENT}


def shared_uses(stream: Sequence[Burst]) -> Iterator[list[bool]]:
    """Tell of each use which templates another owner used last, otherwise filled."""
    latest: dict[int, tuple[int, int]] = {}
    owners: dict[str, int] = {}
    for use in uses(stream):
        me = owners.setdefault(use.account, owner(use)), use.exact % 2**8
        shared = [False] * _TEMPLATES
        for kind, template in enumerate(use.templates):
            if (
                template
                and TEMPLATE_KINDS[kind] != "template_tail"
                and use.fields["enforced_action_id"] is None
            ):
                was = latest.get(template, me)
                shared[kind] = was[0] != me[0] and was[1] != me[1]
                latest[template] = me
        yield shared


def expected_members(stream: Sequence[Burst]) -> list[tuple[Any, ...]]:
    """Say which member rows must come, without likeness."""
    accounts: dict[str, Account] = {}
    about: dict[str, tuple[int, int]] = {}
    began: dict[str, int] = {}
    looked: dict[str, int] = {}
    crowd = crowds(stream)
    linked: set[tuple[Any, ...]] = set()
    rows: dict[tuple[Any, ...], list[Any]] = {}
    counted: Counter[str] = Counter()
    last: dict[str, int] = {}
    for use, shared in zip(uses(stream), shared_uses(stream), strict=True):
        created = use.fields["account_created_at"]
        known = (owner(use), -1 if created is None else created // 60_000)
        about.setdefault(use.account, known)
        began.setdefault(use.account, use.minute)
        if use.fields["enforced_action_id"] is not None:
            continue
        if last.get(use.account) != use.minute:
            # Since the last look, which is at the end of its minute.
            before = counted[use.account]
            looked[use.account] = int(np.searchsorted(LOOKS, before, "right"))
        last[use.account] = use.minute
        counted[use.account] += 1
        age = began[use.account] - about[use.account][1]
        young = about[use.account][1] >= 0 and 0 <= age < YOUNG_MINUTES
        sharing = shares(use, crowd, young=young)
        event = Event(use.minute, 0, 0, 0, 0, 0, 0, use.templates, use.exact, ())
        account = accounts.setdefault(use.account, Account(event))
        passed, events, templated = account.add(event, shared)
        if not any(passed) and not sharing:
            continue
        facets = [
            (kind, use.templates[kind], "")
            for kind in range(_TEMPLATES)
            if passed[kind]
            and not (
                TEMPLATE_KINDS[kind].startswith("template_band") and any(passed[:2])
            )
        ]
        for kind, field in enumerate(_FIELDS):
            name = use.fields[field]
            if not any(passed) and kind not in sharing:
                continue
            look = looked[use.account] if kind == PAYMENT else 0
            link = (use.account, kind, name, use.minute // 1440 // TELLING_DAYS, look)
            if name is not None and link not in linked:
                linked.add(link)
                facet = facet_hash(INFRASTRUCTURE_KINDS[kind], name)
                facets.append((kind + _TEMPLATES, facet, name))
        names = zip(INFRASTRUCTURE_KINDS, (use.fields[f] for f in _FIELDS), strict=True)
        used = tuple(0 if n is None else facet_hash(kind, n) for kind, n in names)
        own = (*about[use.account], events, templated, 0, use.markers, used)
        for kind, facet, name in facets:
            model = use.fields["request_model"]
            key = (use.minute, facet, use.account, kind, name, model)
            row = rows.setdefault(key, [0, own, []])
            row[0] += 1
            row[1] = own
            if kind < _TEMPLATES and len(row[2]) < MAX_FILLINGS:
                row[2].append(use.exact)
    return sorted(
        (*key, count, own, tuple(exact)) for key, (count, own, exact) in rows.items()
    )


def expected_sums(stream: Sequence[Burst]) -> list[tuple[Any, ...]]:
    """Say which sum rows must come of shared infrastructure and of all traffic."""
    by_minute: dict[int, list[Use]] = defaultdict(list)
    for use in uses(stream):
        if use.fields["enforced_action_id"] is None:
            by_minute[use.minute].append(use)
    users: dict[tuple[int, str], set[str]] = defaultdict(set)
    told: dict[tuple[int, str], int] = {}
    waiting: dict[tuple[int, str], int] = defaultdict(int)
    hours: dict[tuple[int, str], int] = {}
    rows = []
    for minute, here in by_minute.items():
        counts: dict[tuple[int, str], int] = defaultdict(int)
        for use in here:
            for kind, field in enumerate(_FIELDS):
                if use.fields[field] is not None:
                    counts[kind, use.fields[field]] += 1
                    users[kind, use.fields[field]].add(use.account)
        for facet, count in counts.items():
            if len(users[facet]) < 2:
                continue
            waiting[facet] += count
            new = len(users[facet]) - told.get(facet, 0)
            if new or hours.get(facet) != minute // 60:
                number = facet_hash(INFRASTRUCTURE_KINDS[facet[0]], facet[1])
                kind = facet[0] + _TEMPLATES
                rows.append((minute, number, "", kind, waiting.pop(facet), new))
                told[facet] = len(users[facet])
            hours[facet] = minute // 60
    counts = Counter(
        (use.minute, model_hash(use.fields["request_model"])) for use in uses(stream)
    )
    rows += [(*of, "", TRAFFIC, events, 0) for of, events in counts.items()]
    return sorted(rows)


def make() -> AccountsStage:
    return AccountsStage(
        0, facet_partitions=2, likeness=_NEVER_LIKE, max_future_hours=24
    )


def told(stream: Sequence[Burst], plan: Sequence[Step]) -> list[tuple[Any, ...]]:
    ended = minutes(run(make, records(stream), plan).outputs)
    for partition, about in ended.items():
        assert {row[1] % 2 for row in about.rows} <= {partition}
    return sorted(row for about in ended.values() for row in about.rows)


_LONG = campaign(6, 14)
_FLUSHES = [Step("take", 11), Step("flush", 0)] * 12


@given(bursts(), steps(crashes=True))
@example(_LONG, _FLUSHES)
@example([*_LONG, *campaign(6, 3, gap=9 * 1440)], _FLUSHES)
@settings(max_examples=100)
def test_rows_are_what_plain_python_says(stream: list[Burst], plan: list[Step]) -> None:
    rows = told(stream, plan)
    members = [row for row in rows if row[2]]
    for row in members:  # likeness is the stage's own matter
        assert row[7][4] in {0, -900}
    plain = [(*r[:7], (*r[7][:4], 0, *r[7][5:]), *r[8:]) for r in members]
    assert plain == expected_members(stream)
    assert [row for row in rows if not row[2]] == expected_sums(stream)


@given(bursts(accounts=12), steps(crashes=True))
@settings(max_examples=60)
def test_accounts_of_shared_infrastructure_add_up_to_the_truth(
    stream: list[Burst], plan: list[Step]
) -> None:
    users: dict[int, set[str]] = defaultdict(set)
    for use in uses(stream):
        for kind, field in zip(INFRASTRUCTURE_KINDS, _FIELDS, strict=True):
            name = use.fields[field]
            if name is not None and use.fields["enforced_action_id"] is None:
                users[facet_hash(kind, name)].add(use.account)
    counted: dict[int, int] = defaultdict(int)
    for row in told(stream, plan):
        if not row[2] and row[3] != TRAFFIC:
            counted[row[1]] += row[5]
    # What a single account uses at home is never told to anybody.
    assert counted == {f: len(who) for f, who in users.items() if len(who) > 1}


def test_facets_of_the_tests_do_not_collide() -> None:
    """The counts above are true as long as no account's facets share a Bloom bit."""
    for account in range(12):
        used = (f"network-{account // 3}", f"home-{account}")
        assert len({facet_hash("network", name) % 64 for name in used}) == 2


def test_many_rows_go_in_parts_of_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facet_rows, "_PART_BYTES", 1500)
    outputs = run(make, records(_LONG)).outputs
    batches = [
        decode_batch("FacetSums", output.value)
        for output in outputs
        if output.value and output.partition == 1
    ]
    parts = [(batch.part, batch.last) for batch in batches]
    assert len(parts) > 5
    assert parts == [(at, at == len(parts) - 1) for at in range(len(parts))]
    assert len({output.event_id for output in outputs}) == len(outputs)
    assert all(len(batch.payload) < 1500 + _NAMES_BYTES for batch in batches)
    rows = told(_LONG, ())
    assert [row for row in rows if not row[2]] == expected_sums(_LONG)
    assert len([row for row in rows if row[2]]) == len(expected_members(_LONG))


def test_traffic_is_told_by_the_hour() -> None:
    stream = [Burst(n % 2, 1, 3, 4, "plain") for n in range(180)]
    stream.append(Burst(0, 1, 3, 1, "bare"))
    rows = [row for row in told(stream, ()) if not row[2] and row[3] == _TEMPLATES + 1]
    assert len(rows) == 4  # the second account, and three new hours
    assert np.all(np.diff([row[0] for row in rows]) > 0)
