from __future__ import annotations

import json

from rich.console import Console

from streams.cli.reconcile_screen import alert_line, enforcement_table, state_json
from streams.contracts import Alert
from streams.policy.enforcement_state import (
    EnforcementState,
    EnforcerState,
    Overdue,
)

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
EDGE = EnforcerState(
    enforcer="edge-1",
    heard_at=NOON,
    desired=1200,
    enforced=1150,
    refused=40,
    pending=10,
    held=1,
    overdue=8,
    releases_overdue=1,
    too_old=0,
    p50=0.123,
    p99=4.5,
    oldest=(
        Overdue("account:1", NOON - 60_000, release=False),
        Overdue("account:2", NOON - 30_000, release=True),
    ),
    refusals={"too many": 40},
)
STATE = EnforcementState(NOON, 1200, (EDGE,), 0, None, NOON)


def shown(state: EnforcementState | None) -> list[str]:
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(enforcement_table(state, 10.0))
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_the_table_has_a_row_per_enforcer_and_what_is_late_below() -> None:
    assert shown(STATE) == [
        "enforcer desired enforced refused overdue releases overdue p50 p99 last heard",
        "edge-1 1,200 1,150 40 8 1 0.12 s 4.50 s 2026-01-01 12:00:00",
        "edge-1 does not enforce account:1 since 2026-01-01 11:59:00",
        "edge-1 still enforces account:2 since 2026-01-01 11:59:30",
        "edge-1 refuses 40: too many",
        "2026-01-01 12:00:00 1,200 actions stand",
    ]


def test_silence_of_everybody_is_not_an_empty_table() -> None:
    quiet = EnforcementState(NOON, 0, (), 0, None, None)
    assert shown(quiet)[0] == "no enforcer is expected"
    silent = EnforcementState(NOON, 3, (), 3, NOON, None)
    assert shown(silent)[0] == (
        "no enforcer acknowledges anything; 3 stand for more than 10 s unacknowledged"
    )
    assert shown(None) == ["reading llm.actions and llm.acks …"]


def test_names_from_outside_cannot_move_the_cursor() -> None:
    sly = EnforcerState(
        enforcer="e\x1b[2J\u202e",
        heard_at=None,
        desired=0,
        enforced=0,
        refused=1,
        pending=0,
        held=0,
        overdue=0,
        releases_overdue=0,
        too_old=0,
        p50=None,
        p99=None,
        oldest=(Overdue("account:\n", NOON, release=False),),
        refusals={"[bold]\x07": 1},
    )
    lines = shown(EnforcementState(NOON, 0, (sly,), 0, None, None))
    text = "".join(lines)
    assert text.isprintable()
    assert "never" in lines[1]
    assert "[bold]\N{REPLACEMENT CHARACTER}" in text  # no markup


def test_json_has_the_verdict_first_and_all_counts() -> None:
    told = json.loads(state_json(STATE))
    assert next(iter(told)) == "well"
    assert told["well"] is False
    (edge,) = told["enforcers"]
    assert (edge["enforcer"], edge["p99"], edge["oldest"][1]["release"]) == (
        "edge-1",
        4.5,
        True,
    )


def test_an_alert_is_one_line() -> None:
    alert = Alert(
        alert_id="a",
        campaign_id="enforcement:edge-1",
        sequence=1,
        kind="not_enforced",
        severity="critical",
        occurred_at=NOON,
        started_at=NOON,
        summary="edge-1: 1 action\nis not enforced",
        e_value=0.0,
        account_count=1,
        exchange_count=0,
    )
    assert alert_line(alert).plain == (
        "2026-01-01 12:00:00 critical edge-1: 1 action\N{REPLACEMENT CHARACTER}is not "
        "enforced"
    )
