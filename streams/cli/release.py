"""``distillwatch release``: lift what stands, at once and for a while."""

from __future__ import annotations

from cyclopts import App

from streams.cli.control_writes import (
    DEFAULT_WRITING,
    Writing,
    command,
    now_ms,
    write_entries,
)

__all__ = ["app"]

app = App(name="release", help="Lift what stands against a subject.")


@app.default
def release(subject: str, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Lift what stands against a subject; releasing a campaign releases its members.

    It lasts for the cool-off of the policy. Evidence from before it does not count
    again; new evidence may.

    Parameters
    ----------
    subject
        account:ID, campaign:ID, facet:KIND:ID or organization:ID.
    why
        The reason, for who reads it later.
    """
    from streams.policy.control_entries import release_entry

    entry = release_entry(subject, author=how.who, reason=why, created_at=now_ms())
    told = (
        f"{_whom(subject)} released: what stands is lifted, and only new evidence "
        "counts, after the policy's cool-off. A release cannot be undone; to keep "
        f"{subject} free of actions for good: {command('allowlist', 'add', subject)}"
    )
    write_entries([entry], told, how=how)


def _whom(subject: str) -> str:
    if subject.startswith("account:"):
        return f"{subject} is"
    return f"{subject} and the accounts behind it are"
