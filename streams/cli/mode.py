"""``distillwatch mode``: enforce, or only show what would be done."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_WRITING,
    Writing,
    command,
    now_ms,
    standing_entries,
    write_entries,
)
from streams.errors import ConfigError

__all__ = ["app"]

_MEANING = {
    "shadow": "actions are decided and published, and not to be enforced",
    "enforce": "actions are to be enforced",
}

app = App(name="mode", help="Switch between shadow and enforce, or show what holds.")


@app.default
def mode(
    mode: Literal["shadow", "enforce"] | None = None,
    subject: str = "*",
    *,
    why: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    how: Writing = DEFAULT_WRITING,
) -> None:
    """Switch what is done about a subject; without a mode, list what was switched.

    Parameters
    ----------
    mode
        shadow: decided and published, not to be enforced; enforce: to be enforced.
    subject
        account:ID, organization:ID, facet:KIND:ID, campaign:ID; by default *, which is
        everybody for whom nothing more specific was switched.
    why
        The reason, for who reads it later.
    json
        List as JSON, one object per entry.
    """
    from streams.policy.control_entries import mode_entry

    if mode is None:
        _show(how, json=json)
        return
    if why is None:
        raise ConfigError(f"mode {mode} needs a reason: --why TEXT")
    entry = mode_entry(subject, mode, author=how.who, reason=why, created_at=now_ms())
    whom = "everybody" if subject == "*" else subject
    told = (
        f"{mode} for {whom}: {_MEANING[mode]}. Undo, back to policy and settings: "
        f"{command('withdraw', entry.entry_id)}"
    )
    write_entries([entry], told, how=how)


def _show(how: Writing, *, json: bool) -> None:
    from streams.cli.listings import print_json, print_rows
    from streams.cli.record_lines import time_text

    rows: list[dict[str, Any]] = [
        {
            "subject": each.subject,
            "mode": each.value,
            "created_at": each.created_at,
            "author": each.author,
            "reason": each.reason,
        }
        for each in standing_entries(how.servers).values()
        if each.kind == "mode"
    ]
    if json:
        print_json(rows)
        return
    if rows:
        cells = [(*r.values(),) for r in rows]
        headings = ("subject", "mode", "since", "by", "why")
        print_rows(headings, [(*c[:2], time_text(c[2]), *c[3:]) for c in cells])
    print(
        f"{'Everybody else' if rows else 'Everybody'}: as the policy says, or the "
        "workers' setting DISTILLWATCH_MODE"
    )
