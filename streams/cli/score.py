"""``distillwatch score``: compare what a run decided with the scenario's truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from rich.table import Table

    from streams.scenarios.score import Score

__all__ = ["app"]

app = App(
    name="score",
    help="Compare actions.jsonl and alerts.jsonl of a folder with its truth.csv.",
)


@app.default
def score(
    folder: Path, *, json: Annotated[bool, Parameter(negative=())] = False
) -> None:
    """Say which campaigns were found, how late, and which accounts were wronged.

    Parameters
    ----------
    folder
        Holds events.avro, truth.csv, actions.jsonl and alerts.jsonl.
    json
        Print one JSON object instead of tables.
    """
    import msgspec
    from rich.console import Console

    from streams.scenarios.outcomes import Outcome
    from streams.scenarios.score import score as compare

    result = compare(Outcome.read(folder))
    if json:
        print(msgspec.json.encode(result).decode())
        return
    console = Console()
    if result.campaigns:
        console.print(_campaigns(result))
    console.print(_cohorts(result))
    console.print(_summary(result), highlight=False)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _campaigns(result: Score) -> Table:
    from rich.table import Table

    table = Table("", title="Campaigns", title_justify="left")
    for campaign in result.campaigns:
        table.add_column(campaign.name, justify="right")
    rows = {
        "found": [f"{len(c.found_as)}x" if c.found else "no" for c in result.campaigns],
        "accounts": [f"{c.accounts:,}" for c in result.campaigns],
        "accounts actioned": [f"{c.accounts_actioned:,}" for c in result.campaigns],
        "throttled or more": [f"{c.accounts_effective:,}" for c in result.campaigns],
        "exchanges": [f"{c.exchanges:,}" for c in result.campaigns],
        "delay of the alert": [
            "-" if c.delay_hours is None
            else f"{c.delay_hours:.1f} h, {c.delay_exchanges:,} exchanges"
            for c in result.campaigns
        ],
        "before the first alert": [
            _percent(c.share_before_alert) for c in result.campaigns
        ],
        "before the first action": [
            _percent(c.share_before_action) for c in result.campaigns
        ],
        "before the first effective action": [
            _percent(c.share_before_effective) for c in result.campaigns
        ],
        "before own effective action": [
            _percent(c.share_before_own_action) for c in result.campaigns
        ],
        "not under an effective action": [
            _percent(c.share_not_covered) for c in result.campaigns
        ],
    }  # fmt: skip
    for label, cells in rows.items():
        table.add_row(label, *cells)
    return table


def _cohorts(result: Score) -> Table:
    from rich.table import Table

    from streams.policy.ladder import RUNGS

    used = [r for r in RUNGS if any(c.rungs.get(r) for c in result.cohorts)]
    table = Table("cohort", title="Accounts by highest rung", title_justify="left")
    for name in ("accounts", "actioned", *used):
        table.add_column(name, justify="right")
    for cohort in result.cohorts:
        cells = (cohort.accounts, cohort.actioned, *map(cohort.rungs.get, used))
        table.add_row(cohort.cohort, *(f"{n:,}" if n else "" for n in cells))
    return table


def _summary(result: Score) -> str:
    rate = result.wrong_per_million_account_days
    lines = [
        (
            f"campaigns found: {result.campaigns_found} of {len(result.campaigns)}; "
            f"false campaigns: {len(result.false_campaigns)}"
        ),
        (
            f"accounts actioned: {result.right_accounts:,} right, "
            f"{result.wrong_accounts:,} wrong (throttled or more: "
            f"{result.wrong_effective:,}, suspended: {result.wrong_suspended:,}); "
            f"precision {_percent(result.precision)}, recall {_percent(result.recall)}"
        ),
        (
            "wrong per million ordinary account-days: "
            f"{'-' if rate is None else f'{rate:,.0f}'} "
            f"(over {result.ordinary_account_days:,} account-days)"
        ),
    ]
    if result.unknown_accounts:
        lines.append(f"accounts not in truth.csv: {result.unknown_accounts:,}")
    if result.other_subjects:
        lines.append(f"subjects other than accounts: {result.other_subjects:,}")
    return "\n".join(lines)
