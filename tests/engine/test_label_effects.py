"""Labels teach in the order of the log, are disputed aloud, and never make evidence."""

from __future__ import annotations

from typing import Any

import msgspec
from control_streams import BLATANT, actions, campaign_log, links_of, make, with_entries
from event_streams import EPOCH, Record
from hypothesis import given, settings
from hypothesis import strategies as st
from lenient_reference import decisions, lenient_reference, trail
from stage_runs import Run, Step, run, steps

from streams.contracts.records import Alert, ControlEntry, Decision, decode_record
from streams.engine.label_effects import MAX_ACCOUNTS, LabelEffects
from streams.engine.stage import Output
from streams.policy.control_entries import Label, label_entry, review_entry
from streams.policy.label_statistics import ACCOUNTS, RUNG, TEACHES

_CAMPAIGN = "dc-7c58b822f22c"
_AUTHORS = ("ana", "bo", "cy")
_OLD = (5, 6, 7)
_NEW = (0, 1, 2)


def _label(subject: str, label: Label, author: str = "ana") -> ControlEntry:
    return label_entry(
        subject, label, author=author, reason="tests", created_at=EPOCH * 60_000
    )


def _account(number: int, label: Label, author: str = "ana") -> ControlEntry:
    return _label(f"account:account-{number}", label, author)


def _everybody(minute: int) -> list[tuple[int, ControlEntry | str]]:
    """Let three authors agree on who is what."""
    return [
        (minute, _account(number, label, author))
        for author in _AUTHORS
        for label, numbers in (("benign", _OLD), ("distillation", _NEW))
        for number in numbers
    ]


def _run(entries: list[tuple[int, ControlEntry | str]]) -> Run:
    return run(make, campaign_log(entries))


def _disputes(ended: Run, kind: str = "labels_disputed") -> list[str]:
    found = [
        decode_record(Alert, output.value or b"")
        for output in trail(ended.outputs)
        if output.topic == "llm.alerts"
    ]
    return [alert.summary for alert in found if alert.kind == kind]


def _features(decision: Decision) -> dict[str, float]:
    return {feature.name: feature.value for feature in decision.features}


_ENTRIES = st.one_of(
    st.builds(
        _label,
        st.sampled_from(
            [
                *(f"account:account-{n}" for n in range(9)),
                f"campaign:{_CAMPAIGN}",
                "organization:none",
            ]
        ),
        st.sampled_from(["benign", "distillation"]),
        st.sampled_from(_AUTHORS),
    ),
    st.sampled_from(["label:account:account-1:ana", "label:account:account-5:bo"]),
)


@given(
    st.lists(st.tuples(st.integers(0, 400), _ENTRIES), min_size=1, max_size=12),
    steps(crashes=True, most=30),
)
@settings(max_examples=40)
def test_cuts_and_crashes_do_not_matter(
    entries: list[tuple[int, ControlEntry | str]], plan: list[Step]
) -> None:
    log: list[Record] = with_entries(links_of(BLATANT), entries)
    one, other = run(make, log), run(make, log, plan)
    assert trail(one.outputs) == trail(other.outputs)
    ours, theirs = one.stage.state.labels, other.stage.state.labels
    assert ours.records == theirs.records
    assert ours.disputes == theirs.disputes
    assert ours.model == theirs.model
    actions(one.outputs)


@given(st.lists(st.tuples(st.integers(0, 90), _ENTRIES), max_size=12))
@settings(max_examples=20)
def test_labels_never_make_evidence(
    entries: list[tuple[int, ControlEntry | str]],
) -> None:
    reference = lenient_reference()
    for decision in decisions(_run(sorted(entries, key=lambda e: e[0])).outputs):
        if decision.kind in ("issued", "escalated", "extended", "withheld"):
            told = _features(decision)
            names = {n.removeprefix("account."): v for n, v in told.items()}
            own = reference.assess_member(names)
            assert decision.e_value <= own
            assert (decision.e_value < own) == ("label.caution" in told)


def test_a_label_withdrawn_gives_back_the_exact_weights() -> None:
    before = _run(_everybody(60)).stage.state.labels
    last = (62, _account(4, "benign"))
    after = _run([*_everybody(60), last, (63, last[1].entry_id)]).stage.state.labels
    taught = _run([*_everybody(60), last]).stage.state.labels
    assert taught.model != before.model
    assert (after.model, after.records) == (before.model, before.records)


def test_labels_lower_the_evidence_of_accounts_that_look_alike() -> None:
    plain, ended = _run([]), _run(_everybody(25))
    book = ended.stage.state.labels
    assert book.taught == 18
    assert book.least_factor == 1 / 512
    seen = LabelEffects(ended.stage.state, ended.stage.decider).look_at("account-8")
    assert book.factor(seen.features, seen.prior) < 1
    for record in book.records.values():
        for each in record.teachable:
            factor = book.factor(each.features, each.prior)
            assert factor == 1 if record.value == "distillation" else factor < 1
    cautious = [
        one for one in decisions(ended.outputs) if "label.caution" in _features(one)
    ]
    assert cautious
    for one in cautious:
        assert _features(one)["label.examples"] == 18
        assert one.e_value > 0
    lives, were = actions(ended.outputs), actions(plain.outputs)
    # Who is like those labelled distillation is treated as before.
    assert lives["account:account-1"] == were["account:account-1"]


def test_a_label_tells_what_it_is_about() -> None:
    ended = _run([(60, _label(f"campaign:{_CAMPAIGN}", "distillation"))])
    (told,) = (one for one in decisions(ended.outputs) if one.kind == "applied")
    values = _features(told)
    assert values.pop(ACCOUNTS) == values.pop(TEACHES) == 8
    assert sum(values.values()) == 8
    assert all(name.startswith(RUNG) for name in values)
    unknown = _run([(60, _account(99, "benign"))])
    (told,) = (one for one in decisions(unknown.outputs) if one.kind == "applied")
    assert _features(told) == {ACCOUNTS: 1, TEACHES: 0, f"{RUNG}none": 1}


def test_a_label_of_many_speaks_for_a_few() -> None:
    stage = _run([]).stage
    graph = stage.state.graph
    for number in range(50):
        graph.accounts[f"more-{number}"] = msgspec.structs.replace(
            graph.accounts["account-1"].copy(), edges={}
        )
    owner = graph.accounts["account-1"].owner
    chosen = LabelEffects(stage.state, stage.decider)._accounts_of(
        ("organization", owner), ""
    )
    assert len(chosen) == MAX_ACCOUNTS


def test_who_contradicts_another_is_told_of_once_a_day() -> None:
    entries: list[tuple[int, Any]] = [
        (60, _account(1, "distillation")),
        (61, _account(2, "distillation")),
        (62, _account(1, "benign", "mallory")),
        (63, _account(2, "benign", "mallory")),
        (1600, _account(1, "benign", "mallory")),
    ]
    ended = _run(entries)
    assert len(_disputes(ended)) == 2
    assert _disputes(ended)[0].startswith(
        "mallory says benign of what ana labelled otherwise: account:account-1"
    )
    assert ended.stage.state.labels.taught == 0


def test_calling_a_confirmed_suspension_benign_is_disputed() -> None:
    waiting = next(
        one
        for one in decisions(_run([]).outputs)
        if one.kind == "escalated" and one.rung == "suspend"
    )
    approve = review_entry(
        waiting.action_id or "",
        waiting.subject,
        "approve",
        author="ana",
        reason="tests",
        created_at=0,
    )
    ended = _run([(90, approve), (91, _label(waiting.subject, "benign", "mallory"))])
    (alert,) = _disputes(ended)
    assert alert.startswith("mallory labels benign what a person confirmed for suspens")
    assert ended.stage.state.labels.disputes.since.keys() == {"mallory"}
    assert ended.stage.state.labels.taught == 0
    healed = _run(
        [
            (90, approve),
            (91, _label(waiting.subject, "benign", "mallory")),
            (95, _label(waiting.subject, "benign", "bo")),
        ]
    )
    assert not healed.stage.state.labels.disputes.since


def test_campaigns_called_ordinary_beyond_the_budget_are_told_of() -> None:
    stage = _run([]).stage
    ((number, campaign),) = stage.state.campaigns.items()
    effects = LabelEffects(stage.state, stage.decider)
    outputs: list[Output] = []
    for at, author in enumerate(("ana", "bo", "ana", "bo", "ana")):
        name = f"dc-{at}"
        found = msgspec.structs.replace(campaign, identifier=name)
        stage.state.put_campaign(number, found)
        label = _label(f"campaign:{name}", "benign", author)
        outputs += effects.learn(label, campaign.found + 60)
    (alert,) = (decode_record(Alert, output.value or b"") for output in outputs)
    assert alert.kind == "canary_failed"
    # Three would be expected to come about once in 870 days: that is no surprise yet.
    assert alert.summary.startswith("4 campaigns are labelled benign, and the budget")
    assert not stage.state.operation.fallen_back
