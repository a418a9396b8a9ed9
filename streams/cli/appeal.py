"""``distillwatch appeal``: customers' objections to actions, and the answers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_CLUSTER,
    DEFAULT_WRITING,
    Cluster,
    Writing,
    command,
    now_ms,
    standing_entries,
    write_entries,
)
from streams.errors import ConfigError, InvalidRecord

if TYPE_CHECKING:
    from streams.contracts import ControlEntry
    from streams.policy.appeals import Appeal, AppealState

__all__ = ["app"]

_Flag = Annotated[bool, Parameter(negative=())]

app = App(name="appeal", help="Take and decide customers' objections to actions.")


@app.command(name="open")
def open_(token: str, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Open an appeal with the token that came with a refusal.

    Parameters
    ----------
    token
        The appeal_token of an action.
    why
        What the customer says.
    """
    from streams.bus.published_actions import find_token
    from streams.policy.appeals import appeal_entry, read_appeal

    if earlier := _entry(how.servers, token):
        raise InvalidRecord(_told_twice(read_appeal(earlier)))
    action = find_token(how.servers, token)
    if action is None:
        raise InvalidRecord(
            f"no action on llm.actions carries the token {token}; is it complete? One "
            "that was lifted long ago is gone, and nothing stands because of it"
        )
    entry = appeal_entry(
        token, action.subject, "open", author=how.who, reason=why, created_at=now_ms()
    )
    told = (
        f"appeal {token} is open for {action.subject} against {action.rung} "
        f"{action.action_id}: the action stays until it is decided. Next: "
        f"{command('appeal', 'decide', token, '--grant')} or --uphold; undo: "
        f"{command('withdraw', entry.entry_id)}"
    )
    write_entries([entry], told, how=how)


@app.command
def decide(
    token: str,
    *,
    uphold: _Flag = False,
    grant: _Flag = False,
    why: str,
    how: Writing = DEFAULT_WRITING,
) -> None:
    """Decide on an appeal; a later decision replaces an earlier one.

    Parameters
    ----------
    token
        As `appeal list` shows it.
    uphold
        The action stays.
    grant
        The subject is released.
    why
        The reason, for who reads it later.
    """
    from streams.policy.appeals import appeal_entry

    if uphold == grant:
        raise ConfigError("decide either --uphold or --grant")
    earlier = _entry(how.servers, token)
    if earlier is None:
        raise InvalidRecord(
            f"no appeal {token} was opened; see: distillwatch appeal list"
        )
    state: AppealState = "upheld" if uphold else "granted"
    entry = appeal_entry(
        token,
        earlier.subject,
        state,
        author=how.who,
        reason=why,
        created_at=now_ms(),
        earlier=earlier,
    )
    if grant:
        meaning = (
            "what stands is lifted, and only new evidence counts, after the policy's "
            "cool-off. There is no undo: what was lifted stays lifted"
        )
    else:
        undo = command("appeal", "decide", token, "--grant")
        meaning = f"the action stays. Undo: {undo}"
    told = f"appeal {token} of {entry.subject} is {state}: {meaning}"
    write_entries([entry], told, how=how)


@app.command(name="list")
def list_(*, json: _Flag = False, cluster: Cluster = DEFAULT_CLUSTER) -> None:
    """List appeals, open ones first, with their age or the time a decision took.

    Parameters
    ----------
    json
        Print JSON, one object per appeal, times in milliseconds, instead of a table.
    """
    from streams.cli.listings import print_json, print_rows
    from streams.policy.appeals import read_appeal

    entries = standing_entries(cluster.servers).values()
    appeals = [read_appeal(each) for each in entries if each.kind == "appeal"]
    appeals.sort(key=lambda each: (each.state != "open", each.opened_at or 0))
    now = now_ms()
    if json:
        print_json([each._asdict() | {"open_ms": _span(each, now)} for each in appeals])
    elif not appeals:
        print("No appeal was opened")
    else:
        headings = ("token", "subject", "opened", "the customer says")
        rows = [_cells(each, now) for each in appeals]
        print_rows((*headings, "state", "and why"), rows)
        print(_summary(appeals, now))


def _entry(servers: str, token: str) -> ControlEntry | None:
    return standing_entries(servers).get(f"appeal:{token}")


def _told_twice(appeal: Appeal) -> str:
    from streams.cli.record_lines import time_text

    if appeal.state == "open":
        opened = time_text(appeal.opened_at or 0)
        return (
            f"appeal {appeal.token} is open since {opened}, by {appeal.opened_by}; "
            "decide it with: distillwatch appeal decide"
        )
    return (
        f"appeal {appeal.token} was {appeal.state} at "
        f"{time_text(appeal.decided_at or 0)} by {appeal.decided_by}; decide it anew "
        "with: distillwatch appeal decide"
    )


def _span(appeal: Appeal, now: int) -> int | None:
    if appeal.opened_at is None:
        return None
    return (appeal.decided_at or now) - appeal.opened_at


def _cells(appeal: Appeal, now: int) -> tuple[Any, ...]:
    from streams.cli.listings import span_text
    from streams.cli.record_lines import time_text

    opened = "" if appeal.opened_at is None else time_text(appeal.opened_at)
    span = _span(appeal, now)
    took = "" if span is None else span_text(span)
    if appeal.state == "open":
        state = f"open for {took}"
    else:
        state = f"{appeal.state} after {took} by {appeal.decided_by}"
    return (
        appeal.token,
        appeal.subject,
        f"{opened}\nby {appeal.opened_by}",
        appeal.words,
        state,
        appeal.decision,
    )


def _summary(appeals: Sequence[Appeal], now: int) -> str:
    from streams.cli.listings import span_text

    ages = [_span(each, now) or 0 for each in appeals if each.state == "open"]
    took = [
        span
        for each in appeals
        if each.state != "open" and (span := _span(each, now)) is not None
    ]
    told = f"{len(ages):,} open"
    if ages:
        told += f", the oldest for {span_text(max(ages))}"
    told += f"; {len(appeals) - len(ages):,} decided"
    if took:
        half = span_text(statistics.median(took))
        told += f", in {half} at the median and {span_text(max(took))} at most"
    return told
