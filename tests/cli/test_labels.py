from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from control_bench import applied, publish

from streams.contracts import Feature
from streams.policy.label_statistics import ACCOUNTS, RUNG, TEACHES

if TYPE_CHECKING:
    from conftest import Invoke


@pytest.mark.broker
def test_statistics_are_of_labels_in_force(topics: str, invoke: Invoke) -> None:
    at = ("--bootstrap", topics)
    assert invoke("labels", "stats", *at) == (0, "No label is in force\n", "")
    for number, kind in ((7, "--benign"), (8, "--distillation")):
        code, _, _ = invoke(
            "label", f"account:{number}", kind, "--why", "x", "--author", "ana", *at
        )
        assert code == 0
    counts = {ACCOUNTS: 1.0, TEACHES: 1.0, f"{RUNG}suspend": 1.0}
    features = tuple(
        Feature(name=name, value=value, benign_quantile=0, weight=0)
        for name, value in counts.items()
    )
    told = applied("label:account:8:ana", author="ana", features=features)
    publish(topics, "llm.decisions", [told])
    code, out, err = invoke("labels", "stats", "--json", *at)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["labels"], found["waiting"], found["accounts"]) == (2, 1, 1)
    assert found["authors"] == {"ana": {"benign": 1, "distillation": 1}}
    assert found["felt"]["distillation"] == 1
    assert found["felt"]["interval"] == [0.025, 1.0]
    code, out, _ = invoke("labels", "stats", *at)
    assert code == 0
    assert (
        "2 labels of 1 accounts, of which 1 are known well enough to learn from" in out
    )
    assert "; 1 not applied yet" in out
    assert "by ana: 1 benign, 1 distillation" in out


def test_the_trial_prints_a_row_for_each_case(invoke: Invoke) -> None:
    code, out, _ = invoke("labels", "trial", "--accounts", "60", "--json")
    assert code == 0
    found = json.loads(out)
    assert list(found) == [
        "none",
        "few",
        "alone",
        "many",
        "flipped",
        "shielded",
        "turned",
    ]
    # That labels help is tested in tests/scenarios, on a population large enough.
    assert found["none"]["examples"] == 0 < found["few"]["examples"]
