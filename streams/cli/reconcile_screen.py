"""What ``reconcile`` shows: a table for people, JSON for pipes."""

from __future__ import annotations

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.cli.record_lines import printable, time_text
from streams.contracts.records import Alert
from streams.policy.enforcement_state import EnforcementState, EnforcerState

__all__ = ["alert_line", "enforcement_table", "state_json"]

_BAD = "bold red"
_GOOD = "green"
_QUIET = "dim"
_STYLES = {"info": _GOOD, "warning": "yellow", "critical": _BAD}
_SHOWN = 5  # overdue subjects of an enforcer
_HEADS = ("enforcer", "desired", "enforced", "refused", "overdue", "releases overdue")


def state_json(state: EnforcementState) -> str:
    """Give a state as one line of JSON, with ``well`` first.

    >>> state_json(EnforcementState(0, 0, (), 0, None, None))[:22]
    '{"well":true,"at":0,"d'
    """
    plain = msgspec.to_builtins(state)
    return msgspec.json.encode({"well": state.well, **plain}).decode()


def alert_line(alert: Alert) -> Text:
    """Give a published alert as one line."""
    return Text.assemble(
        (time_text(alert.occurred_at), _QUIET),
        (f" {alert.severity:<8} ", _STYLES[alert.severity]),
        printable(alert.summary),
    )


def enforcement_table(state: EnforcementState | None, within: float) -> RenderableType:
    """Show enforcers by what they do with what stands, and the longest overdue."""
    if state is None:
        return Text("reading llm.actions and llm.acks …", _QUIET)
    table = Table(*_HEADS, "p50", "p99", "last heard", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in state.enforcers:
        table.add_row(
            printable(each.enforcer),
            f"{each.desired:,}",
            f"{each.enforced:,}",
            f"{each.refused:,}",
            _late(each.overdue),
            _late(each.releases_overdue),
            _seconds(each.p50),
            _seconds(each.p99),
            "never" if each.heard_at is None else time_text(each.heard_at),
        )
    below = [line for each in state.enforcers for line in _details(each)]
    if not state.enforcers:
        below.append(_nobody(state, within))
    stand = Text(f"{time_text(state.at)}  {state.desired:,} actions stand", _QUIET)
    return Group(table, *below, stand) if state.enforcers else Group(*below, stand)


def _nobody(state: EnforcementState, within: float) -> Text:
    if not state.unanswered:
        return Text("no enforcer is expected", _QUIET)
    told = f"{state.unanswered:,} stand for more than {within:g} s unacknowledged"
    return Text(f"no enforcer acknowledges anything; {told}", _BAD)


def _details(enforcer: EnforcerState) -> list[Text]:
    name = printable(enforcer.enforcer)
    lines = [
        Text.assemble(
            (f"{name} ", "bold"),
            "still enforces " if each.release else "does not enforce ",
            (printable(each.subject), _BAD),
            (f" since {time_text(each.since)}", _QUIET),
        )
        for each in enforcer.oldest[:_SHOWN]
    ]
    lines += [
        Text.assemble(
            (f"{name} ", "bold"), f"refuses {count:,}: ", (printable(reason), _QUIET)
        )
        for reason, count in enforcer.refusals.items()
    ]
    return lines


def _late(number: int) -> Text:
    return Text(f"{number:,}", _BAD if number else _GOOD)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
