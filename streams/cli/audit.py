"""``distillwatch audit``: who told the detector what, when, why, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_CLUSTER,
    Cluster,
    now_ms,
    standing_entries,
)

if TYPE_CHECKING:
    from streams.contracts import ControlEntry, Decision

__all__ = ["app"]

_VALUE_SHOWN: Final = 40  # characters; a policy is a page

app = App(name="audit", help="List what operators told the detector: who, when, why.")


@app.default
def audit(
    *,
    subject: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    cluster: Cluster = DEFAULT_CLUSTER,
) -> None:
    """List the entries that stand, and what the workers have applied.

    Parameters
    ----------
    subject
        What concerns this subject only.
    json
        Print one JSON object with `entries` and `applied`, instead of two tables.
    """
    from streams.bus.applied_decisions import read_applied
    from streams.contracts import to_dict

    entries = standing_entries(cluster.servers)
    applied = read_applied(cluster.servers)
    if subject is not None:
        entries = {k: each for k, each in entries.items() if each.subject == subject}
        applied = [
            each
            for each in applied
            if each.subject == subject or _concerns(each, subject)
        ]
    if json:
        from streams.cli.listings import print_json

        outcomes = _Outcomes(applied)
        print_json(
            {
                "entries": [
                    to_dict(each) | {"applied_at": outcomes.applied_at(each)}
                    for each in entries.values()
                ],
                "applied": [to_dict(each) for each in applied],
            }
        )
        return
    _show(entries, applied)


def _concerns(decision: Decision, subject: str) -> bool:
    # An entry's id is its kind and its subject, and more where it needs that.
    _, _, rest = (decision.entry_id or "").partition(":")
    return rest == subject or rest.startswith(f"{subject}:")


class _Outcomes:
    """What the workers said of entries, which have the ids of those they replace."""

    def __init__(self, applied: list[Decision]) -> None:
        self._told = {(d.entry_id, d.author, d.reason): d.occurred_at for d in applied}

    def applied_at(self, entry: ControlEntry) -> int | None:
        return self._told.get((entry.entry_id, entry.author, entry.reason))

    def is_refused(self, entry: ControlEntry) -> bool:
        from streams.policy.control_entries import REFUSED

        return any(
            (entry_id, author) == (entry.entry_id, entry.author)
            and reason.startswith(REFUSED)
            for entry_id, author, reason in self._told
        )


def _show(entries: dict[str, ControlEntry], applied: list[Decision]) -> None:
    from streams.cli.listings import print_rows
    from streams.cli.record_lines import time_text

    if entries:
        outcomes, now = _Outcomes(applied), now_ms()
        headings = ("entry", "subject", "value", "written", "by", "why", "state")
        rows = [_cells(each, outcomes, now) for each in entries.values()]
        print_rows(headings, rows, title="Entries that stand on llm.control")
    else:
        print("No entry stands on llm.control")
    if applied:
        rows = [
            (
                each.entry_id or each.subject,
                time_text(each.occurred_at),
                each.author,
                each.reason,
            )
            for each in applied
        ]
        print_rows(
            ("entry", "applied, event time", "by", "why"),
            rows,
            title="Applied by the workers, from llm.decisions",
        )
    else:
        print("The workers have applied none")


def _cells(entry: ControlEntry, outcomes: _Outcomes, now: int) -> tuple[Any, ...]:
    from streams.cli.record_lines import time_text

    value = " ".join(entry.value.split())
    if len(value) > _VALUE_SHOWN:
        value = f"{value[:_VALUE_SHOWN]}…"
    if entry.expires_at is not None and entry.expires_at <= now:
        state = f"expired {time_text(entry.expires_at)}"
    elif outcomes.applied_at(entry) is not None:
        state = "applied"
    elif outcomes.is_refused(entry):
        state = "refused"
    else:
        state = "not applied yet"
    return (
        entry.entry_id,
        entry.subject,
        value,
        time_text(entry.created_at),
        entry.author,
        entry.reason,
        state,
    )
