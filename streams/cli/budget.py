"""``distillwatch budget``: what each day's tests spent of the error budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from streams.cli.control_writes import DEFAULT_CLUSTER, Cluster

if TYPE_CHECKING:
    from streams.policy.budget_ledger import DayLedger

__all__ = ["app"]

_BAR: Final = 20  # cells
_HEADINGS: Final = (
    *("day", "tests", "budget", "earned", "spent, of both", "left"),
    *("expected wrong, at most", "rejected", "campaigns found"),
)

app = App(name="budget", help="Show what tests have spent of the error budget.")


@app.default
def budget(
    *,
    json: Annotated[bool, Parameter(negative=())] = False,
    folder: Path | None = None,
    cluster: Cluster = DEFAULT_CLUSTER,
) -> None:
    """List each day of event time: its tests, what they spent, and what they found.

    The budget is the number of benign groups that may be expected to be called a
    campaign in a day. Each group that is found adds to it, and each test spends its
    level of it; what was spent bounds the benign groups to expect among those that were
    rejected.

    Parameters
    ----------
    json
        Print JSON, one object per day, instead of a table.
    folder
        Read decisions.jsonl of a replay, in place of a broker.
    """
    import msgspec

    from streams.cli.decision_log import decoded, open_log
    from streams.cli.listings import print_json, print_rows
    from streams.contracts import Decision
    from streams.policy.budget_ledger import budget_days

    log = open_log(folder, cluster.servers)
    tests = (
        decision
        for record in log.records("llm.decisions")
        if record.key.startswith(("campaign:", "group:"))
        and (decision := decoded(Decision, record)) is not None
    )
    days = budget_days(tests)
    if json:
        print_json([msgspec.to_builtins(day) for day in days])
    elif not days:
        print("No group has been tested")
    else:
        print_rows(_HEADINGS, [_row(day) for day in days])


def _row(day: DayLedger) -> tuple[str, ...]:
    share = day.spent / (day.daily + day.earned) if day.daily else 0.0
    filled = round(min(share, 1.0) * _BAR)
    return (
        day.day,
        f"{day.tests:,}",
        f"{day.daily:g}",
        f"{day.earned:g}",
        f"{'█' * filled}{'░' * (_BAR - filled)} {day.spent:.4f}",
        f"{day.left:.4f}",
        f"{day.expected_wrong:.4f}",
        f"{day.rejected:,}",
        "\n".join(day.found),
    )
