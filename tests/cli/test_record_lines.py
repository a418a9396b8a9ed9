from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from streams.bus.records_consumer import ReceivedRecord
from streams.cli.record_lines import json_line, record_text, text_printer
from streams.contracts import (
    Action,
    Alert,
    Evidence,
    Feature,
    encode_record,
    to_dict,
)

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
ALERT = Alert(
    alert_id="c-1/1",
    campaign_id="c-1",
    sequence=1,
    kind="campaign_found",
    severity="critical",
    occurred_at=NOON,
    started_at=NOON - 3_600_000,
    summary="1,200 young accounts share a template.",
    reasons=(
        Feature(name="lockstep", value=12.5, benign_quantile=0.999, weight=0.5),
        Feature(name="young_accounts", value=0.98, benign_quantile=0.99, weight=0.5),
    ),
    e_value=4200.0,
    account_count=1200,
    exchange_count=800_000,
)
ACTION = Action(
    action_id="x",
    subject="account:a-1",
    sequence=3,
    rung="throttle",
    parameters={"requests_per_minute": "5"},
    mode="enforce",
    issued_at=NOON,
    expires_at=NOON + 86_400_000,
    campaign_id="c-1",
    reason_codes=("shared_template", "lockstep"),
    evidence=Evidence(e_value=99.0, budget_spent=0.01),
    human_review=True,
)


def record(topic: str, value: bytes | None, key: bytes = b"account:a-1") -> Any:
    return ReceivedRecord(topic, 0, 7, NOON, key, value, [])


def test_an_alert_is_one_line_with_what_an_engineer_asks_first() -> None:
    text = record_text(record("llm.alerts", encode_record(ALERT)))
    assert text.plain == (
        "2026-01-01 12:00:00 critical c-1 campaign_found: 1,200 young accounts share a "
        "template. [1,200 accounts; 800,000 exchanges; e-value 4.2e+03; lockstep 12.5 "
        "(above 99.9% of benign); young_accounts 0.98 (above 99.0% of benign)]"
    )


def test_an_action_is_one_line_with_what_holds_and_until_when() -> None:
    text = record_text(record("llm.actions", encode_record(ACTION)))
    assert text.plain == (
        "2026-01-01 12:00:00 enforce  throttle account:a-1 until 2026-01-02 12:00:00 "
        "for c-1: shared_template, lockstep (a person must confirm)"
    )


def test_a_tombstone_is_shown_as_lifted() -> None:
    text = record_text(record("llm.actions", None))
    assert text.plain == "2026-01-01 12:00:00 lifted   account:a-1"
    assert json.loads(json_line(record("llm.actions", None))) == {
        "topic": "llm.actions",
        "subject": "account:a-1",
        "lifted": True,
    }


@pytest.mark.parametrize("each", [ALERT, ACTION])
def test_a_json_line_has_the_names_of_the_schema(each: Alert | Action) -> None:
    topic = "llm.alerts" if isinstance(each, Alert) else "llm.actions"
    line = json_line(record(topic, encode_record(each)))
    assert "\n" not in line
    expected = json.loads(json.dumps(to_dict(each)))
    assert json.loads(line) == {"topic": topic, **expected}


@given(st.binary(max_size=40), st.sampled_from(["llm.alerts", "llm.actions"]))
def test_whatever_bytes_come_there_is_a_line_that_names_their_place(
    value: bytes, topic: str
) -> None:
    told = json.loads(json_line(record(topic, value)))
    assert told["place"] == f"{topic}[0]@7"
    assert f"{topic}[0]@7 cannot be read: " in record_text(record(topic, value)).plain


@given(st.text(max_size=50))
def test_an_id_from_outside_can_neither_break_the_line_nor_move_the_cursor(
    campaign: str,
) -> None:
    alert = Alert(**{**to_dict(ALERT), "reasons": (), "campaign_id": f"c{campaign}"})
    file = io.StringIO()
    console = Console(file=file, force_terminal=False, highlight=False)
    text_printer(console)(record("llm.alerts", encode_record(alert)))
    shown = file.getvalue()
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert shown.startswith("2026-01-01 12:00:00 critical c")


def test_a_time_that_no_calendar_has_is_said_to_be_none() -> None:
    alert = Alert(**{**to_dict(ALERT), "reasons": (), "occurred_at": 2**62})
    text = record_text(record("llm.alerts", encode_record(alert)))
    assert text.plain.startswith("no such time        critical c-1")
