"""``distillwatch allowlist``: whom nothing may be done to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_CLUSTER,
    DEFAULT_WRITING,
    Cluster,
    Writing,
    command,
    now_ms,
    parse_expiry,
    standing_entries,
    withdraw_entry,
    write_entries,
)
from streams.errors import InvalidRecord

if TYPE_CHECKING:
    from streams.contracts import ControlEntry

__all__ = ["app"]

_Flag = Annotated[bool, Parameter(negative=())]

app = App(name="allowlist", help="Keep subjects from every action, for a reason.")


@app.command
def add(
    subject: str,
    *,
    why: str,
    expires: str | None = None,
    canary: _Flag = False,
    how: Writing = DEFAULT_WRITING,
) -> None:
    """Put a subject on the allowlist; what stands against it is released.

    Parameters
    ----------
    subject
        account:ID, organization:ID, facet:KIND:ID, campaign:ID, or * for everybody.
    why
        The reason, for who reads it later.
    expires
        After how long (30m, 24h, 7d) or when (2030-12-31, UTC); by default never.
    canary
        The subject takes all tests all the same: what they say about it shows how often
        they are wrong.
    """
    from streams.cli.record_lines import time_text
    from streams.policy.control_entries import allowlist_entry

    now = now_ms()
    entry = allowlist_entry(
        subject,
        author=how.who,
        reason=why,
        created_at=now,
        expires_at=None if expires is None else parse_expiry(expires, now),
        canary=canary,
    )
    until = (
        "for good"
        if entry.expires_at is None
        else f"until {time_text(entry.expires_at)}"
    )
    told = (
        f"{subject} is on the allowlist {until}: what stands against it is released, "
        "and nothing new is done to it. "
        f"Undo: {command('allowlist', 'remove', subject)}"
    )
    write_entries([entry], told, how=how)


@app.command
def remove(subject: str, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Take a subject off the allowlist.

    Parameters
    ----------
    subject
        As `allowlist list` shows it.
    why
        The reason, for who reads it later.
    """
    entry = standing_entries(how.servers).get(f"allowlist:{subject}")
    if entry is None:
        raise InvalidRecord(
            f"{subject} is not on the allowlist; see: distillwatch allowlist list"
        )
    told = (
        f"{subject} is off the allowlist: evidence counts against it again. "
        f"Undo: {command('allowlist', 'add', subject)}"
    )
    withdraw_entry(entry, why, told, how=how)


@app.command(name="list")
def list_(*, json: _Flag = False, cluster: Cluster = DEFAULT_CLUSTER) -> None:
    """List the allowlist; entries whose time is over are marked.

    Parameters
    ----------
    json
        Print JSON, one object per entry, instead of a table.
    """
    from streams.cli.listings import print_json, print_rows

    entries = standing_entries(cluster.servers).values()
    rows = [_row(each, now_ms()) for each in entries if each.kind == "allowlist"]
    if json:
        print_json(rows)
    elif not rows:
        print("Nobody is on the allowlist")
    else:
        headings = ("subject", "canary", "since", "until", "owner", "why")
        print_rows(headings, [_cells(row) for row in rows])


def _row(entry: ControlEntry, now: int) -> dict[str, Any]:
    from streams.policy.control_entries import CANARY

    return {
        "subject": entry.subject,
        "canary": entry.value == CANARY,
        "created_at": entry.created_at,
        "expires_at": entry.expires_at,
        "expired": entry.expires_at is not None and entry.expires_at <= now,
        "author": entry.author,
        "reason": entry.reason,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from streams.cli.record_lines import time_text

    until = "for good" if row["expires_at"] is None else time_text(row["expires_at"])
    return (
        row["subject"],
        "canary" if row["canary"] else "",
        time_text(row["created_at"]),
        f"{until} expired" if row["expired"] else until,
        row["author"],
        row["reason"],
    )
