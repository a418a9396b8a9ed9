from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streams.bus.control_log import read_entries

if TYPE_CHECKING:
    from conftest import Invoke


@pytest.mark.broker
def test_a_mode_is_switched_shown_and_taken_back(topics: str, invoke: Invoke) -> None:
    at = ("--bootstrap", topics)
    _, shown, _ = invoke("mode", *at)
    assert shown == (
        "Everybody: as the policy says, or the workers' setting DISTILLWATCH_MODE\n"
    )
    code, out, err = invoke("mode", "enforce", "--why", "week of shadow was good", *at)
    assert (code, err) == (0, "")
    assert out.startswith("enforce for everybody: actions are to be enforced. Undo")
    assert "distillwatch withdraw 'mode:*' --why" in out
    said = ("--why", "too many alarms", "--author", "ana")
    assert invoke("mode", "shadow", "facet:network:n", *said, *at)[0] == 0
    assert invoke("mode", "shadow", "--why", "incident", *at)[0] == 0
    entries = read_entries(topics)
    assert {key: each.value for key, each in entries.items()} == {
        "mode:facet:network:n": "shadow",
        "mode:*": "shadow",
    }
    _, shown, _ = invoke("mode", *at)
    assert "too many alarms" in shown
    assert "incident" in shown
    assert "week of shadow" not in shown
    assert "Everybody else: as the policy says" in shown
    rows = json.loads(invoke("mode", "--json", *at)[1])
    assert [row["subject"] for row in rows] == ["facet:network:n", "*"]
    assert (rows[0]["mode"], rows[0]["author"]) == ("shadow", "ana")

    code, out, _ = invoke("withdraw", "mode:*", "--why", "over", *at)
    assert code == 0
    assert out.startswith("mode:* of ")
    assert "policy and settings hold again" in out
    assert list(read_entries(topics)) == ["mode:facet:network:n"]
    code, _, err = invoke("withdraw", "mode:*", "--why", "over", *at)
    assert code == 1
    assert "no entry mode:* stands; see: distillwatch audit" in err


def test_a_switch_needs_a_reason_and_a_known_mode(invoke: Invoke) -> None:
    code, _, err = invoke("mode", "shadow")
    assert code == 1
    assert err == "ConfigError: mode shadow needs a reason: --why TEXT\n"
    code, out, err = invoke("mode", "off", "--why", "x")
    assert code != 0
    assert "enforce" in out + err
