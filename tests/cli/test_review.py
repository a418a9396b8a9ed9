from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from control_bench import HOUR, action, now, publish

from streams.bus.control_log import read_entries

if TYPE_CHECKING:
    from conftest import Invoke


@pytest.fixture
def actions(topics: str) -> str:
    publish(
        topics,
        "llm.actions",
        [
            action("account:a"),
            action("account:b"),
            action("account:b", 2),
            action("account:c", mode="shadow"),
            action("account:lifted"),
            ("account:lifted", None),
            action("account:over", expires_at=now() - HOUR),
            action("account:free", human_review=False),
        ],
    )
    return topics


@pytest.mark.broker
def test_what_waits_for_a_person_is_listed_until_one_has_decided(
    actions: str, invoke: Invoke
) -> None:
    at = ("--bootstrap", actions)
    code, out, err = invoke("review", "list", *at)
    assert (code, err) == (0, "")
    for shown in ("account:a", "account:b", "suspend", "dc-1", "SHARED_NETWORK"):
        assert shown in out
    assert "e-value 4.2e+03" in out
    assert "lockstep 12.5 (above 99.9% of benign)" in out
    for hidden in ("account:lifted", "account:over", "account:free", "account:b-1"):
        assert hidden not in out
    rows = json.loads(invoke("review", "list", "--json", *at)[1])
    assert [row["action_id"] for row in rows] == [
        *("id-account:a-1", "id-account:c-1", "id-account:b-2"),
    ]
    assert rows[0]["evidence"]["e_value"] == 4200.0

    said = ("--why", "two of us looked", "--author", "ana")
    code, out, err = invoke("review", "approve", "account:a", *said, *at)
    assert (code, err) == (0, "")
    assert out == (
        "approve: the suspend of account:a takes effect. Undo: distillwatch release "
        "account:a --why ...\n"
    )
    code, out, _ = invoke("review", "deny", "id-account:b-2", *said, *at)
    assert code == 0
    assert out.startswith("deny: the suspend of account:b does not happen, what st")
    _, out, _ = invoke("review", "approve", "account:c", *said, *at)
    assert "suspend of account:c takes effect, as far as shadow mode goes. Undo" in out
    entries = read_entries(actions)
    assert {key: (e.subject, e.value) for key, e in entries.items()} == {
        "review:id-account:a-1": ("account:a", "approve"),
        "review:id-account:b-2": ("account:b", "deny"),
        "review:id-account:c-1": ("account:c", "approve"),
    }
    assert invoke("review", "list", *at)[1] == "Nothing waits for a person\n"

    _, out, _ = invoke("review", "deny", "account:a", "--why", "we were wrong", *at)
    assert out.startswith("deny (it replaces approve by ana): ")
    assert read_entries(actions)["review:id-account:a-1"].value == "deny"


@pytest.mark.broker
def test_nothing_is_written_for_what_does_not_wait(
    actions: str, invoke: Invoke
) -> None:
    for target in ("account:free", "account:over", "id-account:b-1", "account:none"):
        said = ("--why", "x", "--bootstrap", actions)
        code, out, err = invoke("review", "approve", target, *said)
        assert (code, out) == (1, "")
        assert f"{target} is neither an action that waits for a person nor" in err
    assert read_entries(actions) == {}
