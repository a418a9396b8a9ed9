from __future__ import annotations

import io
from collections import Counter

from rich.console import Console

from streams.bus.records_consumer import ReceivedRecord
from streams.cli.demo_run import State
from streams.cli.demo_screen import PlainScreen, TerminalScreen, watch
from streams.contracts import Action, Alert, Evidence, encode_record

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
NOON_MINUTE = NOON // 60_000


def _alert(number: int) -> ReceivedRecord:
    value = encode_record(
        Alert(
            alert_id=f"{number}",
            campaign_id=f"c-{number}",
            sequence=1,
            kind="campaign_found",
            severity="warning",
            occurred_at=NOON,
            started_at=NOON,
            summary="Young accounts share a template.",
            e_value=100.0,
            account_count=12,
            exchange_count=300,
        )
    )
    return ReceivedRecord("llm.alerts", 0, 0, NOON, b"", value, [])


def _action(subject: str) -> ReceivedRecord:
    value = encode_record(
        Action(
            action_id="x",
            subject=subject,
            sequence=1,
            rung="throttle",
            mode="shadow",
            issued_at=NOON,
            expires_at=NOON,
            campaign_id="c-0",
            evidence=Evidence(e_value=99.0, budget_spent=0.01),
        )
    )
    return ReceivedRecord("llm.actions", 0, 0, NOON, b"", value, [])


def _state(closed: int) -> State:
    rungs = Counter(throttle=40)
    return State(500, 1000, NOON_MINUTE, NOON_MINUTE + 100, closed, 3, rungs)


def test_in_a_log_every_alert_is_a_line_and_actions_are_soon_only_counted() -> None:
    console = Console(file=io.StringIO(), width=60)
    with watch(console) as screen:
        assert isinstance(screen, PlainScreen)
        for number in range(8):
            screen.published(_action(f"account:{number}"))
            screen.published(_alert(number))
            screen.state(_state(NOON_MINUTE + number))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert [line for line in lines if "campaign_found" in line] == [
        line for line in lines if "c-" in line and "account:" not in line
    ]
    assert sum("campaign_found" in line for line in lines) == 8
    assert sum("account:" in line for line in lines) == 5
    assert lines.count("further actions are only counted") == 1
    assert all("500 of 1,000" not in line for line in lines)  # not that often


def test_on_a_terminal_bars_and_the_newest_lines_fit_the_width() -> None:
    screen = TerminalScreen()
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    for number in range(30):
        screen.published(_alert(number))
    screen.state(_state(NOON_MINUTE + 49))
    with console.capture() as capture:
        console.print(screen.render())
    shown = capture.get()
    assert shown.count("campaign_found") == 10
    assert "c-29" in shown
    assert "c-19 " not in shown
    assert shown.count("50 %") == 2
    assert "500 of 1,000 events sent, processed up to 2026-01-01 12:49" in shown
    plain = Console(file=io.StringIO(), width=100)
    plain.print(screen.render())
    assert isinstance(plain.file, io.StringIO)
    assert max(map(len, plain.file.getvalue().splitlines())) <= 100


def test_a_console_that_is_a_terminal_is_redrawn() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with watch(console) as screen:
        assert isinstance(screen, TerminalScreen)
        screen.published(_alert(7))
        screen.state(_state(NOON_MINUTE - 1))
    assert isinstance(console.file, io.StringIO)
    assert "c-7" in console.file.getvalue()
    assert "processed up to 2026-01-01 12:00" in console.file.getvalue()
