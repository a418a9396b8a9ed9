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

__all__ = ["json_line", "record_text", "text_printer"]

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


def _time(milliseconds: int) -> str:
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    try:
        moment = epoch + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return _NO_TIME
    return moment.strftime(_TIME)


def _lifted(record: ReceivedRecord) -> Text:
    return _line(
        (_time(record.timestamp), _QUIET),
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
        f"{reason['name']} {reason['value']:.4g} "
        f"(above {reason['benign_quantile']:.1%} of benign)"
        for reason in fields["reasons"][:_REASONS_SHOWN]
    ]
    return _line(
        (_time(fields["occurred_at"]), _QUIET),
        (f" {severity:<8} ", _SEVERITY_STYLES.get(severity, "")),
        (fields["campaign_id"], "bold"),
        f" {fields['kind']}: {fields['summary']}",
        (f" [{'; '.join(about)}]", _QUIET),
    )


def _action(fields: dict[str, Any]) -> Text:
    mode = fields["mode"]
    review = " (a person must confirm)" if fields["human_review"] else ""
    return _line(
        (_time(fields["issued_at"]), _QUIET),
        (f" {mode:<8} ", _ENFORCED_STYLE if mode == "enforce" else _SHADOW_STYLE),
        (fields["rung"], "bold"),
        f" {fields['subject']}",
        (f" until {_time(fields['expires_at'])}", _QUIET),
        f" for {fields['campaign_id']}: {', '.join(fields['reason_codes']) or '-'}",
        (review, "yellow"),
    )


def _line(*parts: str | tuple[str, str]) -> Text:
    line = Text()
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        line.append(text.translate(_NO_CONTROLS), style)
    return line
