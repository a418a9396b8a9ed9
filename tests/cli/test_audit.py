from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from control_bench import applied, now, publish

from streams.bus.control_log import append_entries
from streams.contracts import Decision
from streams.policy.control_entries import allowlist_entry, mode_entry, policy_entry

if TYPE_CHECKING:
    from conftest import Invoke


@pytest.mark.broker
def test_who_when_and_why_is_listed_for_what_stands_and_what_was_applied(
    topics: str, invoke: Invoke
) -> None:
    at = ("--bootstrap", topics)
    _, out, _ = invoke("audit", *at)
    assert out == "No entry stands on llm.control\nThe workers have applied none\n"
    who = {"author": "ana", "reason": "known", "created_at": now()}
    append_entries(
        topics,
        [
            allowlist_entry("account:7", **who),
            mode_entry("*", "enforce", **who),
            policy_entry("a = 1\n" * 50, **who),
        ],
    )
    publish(
        topics,
        "llm.decisions",
        [
            applied("allowlist:account:7", author="ana", reason="known"),
            applied("mode:*", author="ana", reason="refused: no such mode"),
            applied("policy", author="ana", reason="an earlier one"),
            applied("release:account:7:1", author="ben", reason="talked to them"),
            applied("release:account:7:1", decision_id="same"),
            applied("release:account:7:1", decision_id="same", reason="once more"),
            Decision(
                decision_id="d", subject="account:7", kind="issued", occurred_at=now()
            ),
        ],
    )
    code, out, err = invoke("audit", *at)
    assert (code, err) == (0, "")
    assert out.count("allowlist:account:7") == 2
    assert "talked to them" in out
    assert out.count("not applied yet") == 1
    (refused,) = (line for line in out.splitlines() if " enforce " in line)
    assert " refused " in refused
    assert out.count("a = 1") < 10
    told = json.loads(invoke("audit", "--json", *at)[1])
    assert [each["entry_id"] for each in told["applied"]] == [
        "allowlist:account:7",
        "mode:*",
        "policy",
        "release:account:7:1",
        "release:account:7:1",
    ]
    by_id = {each["entry_id"]: each for each in told["entries"]}
    assert by_id["allowlist:account:7"]["applied_at"] > 0
    assert by_id["mode:*"]["applied_at"] is None
    told = json.loads(invoke("audit", "--json", "--subject", "account:7", *at)[1])
    assert [each["entry_id"] for each in told["entries"]] == ["allowlist:account:7"]
    assert len(told["applied"]) == 3
    told = json.loads(invoke("audit", "--json", "--subject", "account:8", *at)[1])
    assert told == {"entries": [], "applied": []}
