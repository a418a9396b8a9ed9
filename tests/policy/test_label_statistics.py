from __future__ import annotations

from typing import Any

from streams.contracts.records import ControlEntry, Decision, Feature
from streams.policy.control_entries import Label, label_entry, release_entry
from streams.policy.label_statistics import (
    ACCOUNTS,
    RUNG,
    TEACHES,
    label_statistics,
)

_WHO: dict[str, Any] = {"reason": "tests", "created_at": 0}


def _label(subject: str, value: Label, author: str) -> ControlEntry:
    return label_entry(subject, value, author=author, **_WHO)


def _applied(entry: ControlEntry, rungs: dict[str, int], teaches: int = 1) -> Decision:
    values = {ACCOUNTS: sum(rungs.values()), TEACHES: teaches}
    values |= {f"{RUNG}{name}": count for name, count in rungs.items()}
    return Decision(
        decision_id="d",
        subject=f"control:{entry.entry_id}",
        kind="applied",
        occurred_at=0,
        entry_id=entry.entry_id,
        author=entry.author,
        features=tuple(
            Feature(name=name, value=float(value), benign_quantile=0, weight=0)
            for name, value in values.items()
        ),
    )


def test_labels_are_counted_by_the_rung_they_found() -> None:
    one = _label("account:1", "benign", "ana")
    many = _label("campaign:dc-1", "distillation", "bo")
    waiting = _label("account:2", "benign", "bo")
    other = release_entry("account:1", author="ana", **_WHO)
    entries = {each.entry_id: each for each in (one, many, waiting, other)}
    found = label_statistics(
        entries,
        [
            _applied(one, {"none": 1}),  # it was labelled before, too
            _applied(one, {"suspend": 1}),
            _applied(many, {"observe": 2, "throttle": 17, "none": 1}, teaches=19),
            _applied(_label("account:9", "benign", "withdrawn"), {"suspend": 1}),
        ],
    )
    assert (found.labels, found.waiting) == (3, 1)
    assert (found.accounts, found.teaching) == (21, 20)
    assert found.authors == {
        "ana": {"benign": 1},
        "bo": {"benign": 1, "distillation": 1},
    }
    counts = [(each.rung, each.distillation, each.benign) for each in found.rungs]
    assert counts == [
        ("none", 1, 0),
        ("observe", 2, 0),
        ("throttle", 17, 0),
        ("suspend", 0, 1),
    ]
    assert (found.felt.distillation, found.felt.benign) == (17, 1)
    assert found.felt.precision == round(17 / 18, 6)
    low, high = found.felt.interval
    assert low < 17 / 18 < high < 1


def test_without_labels_nothing_is_claimed() -> None:
    found = label_statistics({}, [])
    assert found.rungs == ()
    assert (found.felt.precision, found.felt.interval) == (None, (0.0, 1.0))
