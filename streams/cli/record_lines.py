"""Alerts and actions as lines: coloured for people, JSON for pipes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from streams.bus.records_consumer import ReceivedRecord
from streams.contracts import decode, load_topics
from streams.errors import ContractError

__all__ = [
    "feature_text",
    "json_line",
    "printable",
    "record_text",
    "text_printer",
    "time_text",
]

_SEVERITY_STYLES = {"info": "cyan", "warning": "yellow", "critical": "bold red"}
_ENFORCED_STYLE = "bold red"
_SHADOW_STYLE = "magenta"
_QUIET = "dim"
_REASONS_SHOWN = 3
# An id that came from outside must not move the cursor or break the line.
_NO_CONTROLS = dict.fromkeys(
    (
        *range(0x20),
        *range(0x7F, 0xA0),
        *range(0x2028, 0x202F),  # line separators, embedding and override of direction
        *range(0x2066, 0x206A),  # isolates of direction
    ),
    "\N{REPLACEMENT CHARACTER}",
)
_TIME = "%Y-%m-%d %H:%M:%S"
_NO_TIME = "no such time".ljust(19)


def printable(text: str) -> str:
    """Replace what would move the cursor or break the line; for ids from outside.

    >>> ascii(printable("a" + chr(10) + "b")) == ascii("a" + chr(0xFFFD) + "b")
    True
    """
    return text.translate(_NO_CONTROLS)


def time_text(milliseconds: int) -> str:
    """Write a time since the epoch for people, in UTC.

    >>> time_text(1_767_268_800_000)
    '2026-01-01 12:00:00'
    """
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    try:
        moment = epoch + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return _NO_TIME
    return moment.strftime(_TIME)


def feature_text(name: str, value: float, benign_quantile: float) -> str:
    """Write a reason with what it was measured against.

    >>> feature_text("lockstep", 12.5, 0.999)
    'lockstep 12.5 (above 99.9% of benign)'
    """
    return f"{name} {value:.4g} (above {benign_quantile:.1%} of benign)"


def json_line(record: ReceivedRecord) -> str:
    """Give one record as a JSON object on one line, the fields as in its schema.

    ``topic`` comes first. A tombstone has ``subject`` (its key) and ``lifted`` only, a
    record that cannot be decoded ``place`` and ``error``.
    """
    fields: dict[str, Any]
    try:
        if record.value is None:
            fields = {"subject": _key(record), "lifted": True}
        else:
            fields = _decode(record.topic, record.value)
    except ContractError as error:
        fields = {"place": record.place, "error": f"{type(error).__name__}: {error}"}
    return msgspec.json.encode({"topic": record.topic, **fields}).decode()


def record_text(record: ReceivedRecord) -> Text:
    """Give one record as a line for people, event time first, in UTC."""
    try:
        if record.value is None:
            return _lifted(record)
        fields = _decode(record.topic, record.value)
    except ContractError as error:
        return _line(
            (record.place, "red"), f" cannot be read: {type(error).__name__}: {error}"
        )
    return _alert(fields) if "alert_id" in fields else _action(fields)


def text_printer(console: Console | None = None) -> Callable[[ReceivedRecord], None]:
    """Give a function that prints records as lines, uncut where no terminal is."""
    shown = console or Console(highlight=False)

    def show(record: ReceivedRecord) -> None:
        shown.print(record_text(record), soft_wrap=True)
        shown.file.flush()

    return show


def _decode(topic: str, value: bytes) -> dict[str, Any]:
    name = load_topics()[topic].value
    if name is None:
        raise ContractError(f"topic {topic} has no record type")
    return decode(name, value)


def _key(record: ReceivedRecord) -> str:
    return (record.key or b"").decode("utf-8", "backslashreplace")


def _lifted(record: ReceivedRecord) -> Text:
    return _line(
        (time_text(record.timestamp), _QUIET),
        (" lifted   ", "green"),
        (_key(record), "bold"),
    )


def _alert(fields: dict[str, Any]) -> Text:
    severity = fields["severity"]
    about = [
        f"{fields['account_count']:,} accounts",
        f"{fields['exchange_count']:,} exchanges",
        f"e-value {fields['e_value']:.3g}",
    ]
    about += [
        feature_text(reason["name"], reason["value"], reason["benign_quantile"])
        for reason in fields["reasons"][:_REASONS_SHOWN]
    ]
    # News of the detector itself or of an enforcer is about no accounts.
    evidence = f" [{'; '.join(about)}]" if fields["exchange_count"] else ""
    return _line(
        (time_text(fields["occurred_at"]), _QUIET),
        (f" {severity:<8} ", _SEVERITY_STYLES.get(severity, "")),
        (fields["campaign_id"], "bold"),
        f" {fields['kind']}: {fields['summary']}",
        (evidence, _QUIET),
    )


def _action(fields: dict[str, Any]) -> Text:
    mode = fields["mode"]
    review = " (a person must confirm)" if fields["human_review"] else ""
    return _line(
        (time_text(fields["issued_at"]), _QUIET),
        (f" {mode:<8} ", _ENFORCED_STYLE if mode == "enforce" else _SHADOW_STYLE),
        (fields["rung"], "bold"),
        f" {fields['subject']}",
        (f" until {time_text(fields['expires_at'])}", _QUIET),
        f" for {fields['campaign_id']}: {', '.join(fields['reason_codes']) or '-'}",
        (review, "yellow"),
    )


def _line(*parts: str | tuple[str, str]) -> Text:
    line = Text()
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        line.append(printable(text), style)
    return line
