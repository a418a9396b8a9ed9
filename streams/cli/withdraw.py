"""``distillwatch withdraw``: take back an entry of ``llm.control``."""

from __future__ import annotations

from cyclopts import App

from streams.cli.control_writes import (
    DEFAULT_WRITING,
    Writing,
    standing_entries,
    withdraw_entry,
)
from streams.errors import InvalidRecord

__all__ = ["app"]

_FINAL = {
    "policy": "the policy that the workers ship with holds again",
    "mode": "policy and settings hold again",
    "label": "it counts no longer",
    "review": "the action waits for a person again",
    "appeal": "what was said is gone from llm.control",
    "allowlist": "evidence counts against the subject again",
    "indicator": "it raises no suspicion any more",
}

app = App(name="withdraw", help="Take back an entry that `audit` lists.")


@app.default
def withdraw(entry_id: str, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Take back an entry by its id; who and why stays in the log of decisions.

    Parameters
    ----------
    entry_id
        As `distillwatch audit` shows it, for example mode:*.
    why
        The reason, for who reads it later.
    """
    entry = standing_entries(how.servers).get(entry_id)
    if entry is None:
        raise InvalidRecord(f"no entry {entry_id} stands; see: distillwatch audit")
    if entry.kind == "release":
        raise InvalidRecord(
            f"{entry_id} has happened: a release cannot be taken back, and new "
            "evidence counts after the policy's cool-off"
        )
    told = (
        f"{entry_id} of {entry.author} is withdrawn: {_FINAL[entry.kind]}. Undo: write "
        "it once more"
    )
    withdraw_entry(entry, why, told, how=how)
