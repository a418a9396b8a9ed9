"""The end of the demonstration: what it took, what was found, whether that is good."""

from __future__ import annotations

from rich.table import Table

from streams.cli.demo_run import Measures
from streams.config import Config
from streams.scenarios.score import Score

__all__ = ["report", "shortcomings"]


def report(score: Score, measures: Measures, workers: int) -> Table:
    """Make the table of results."""
    table = Table("", "", show_header=False, title="Results", title_justify="left")
    sent = measures.stats.delivered
    cpu = measures.cpu_seconds / measures.seconds
    # Whoever falls silent is waited for before the last minutes are closed.
    wait = Config().idle_timeout
    suspended = sum(c.rungs.get("suspend", 0) for c in score.cohorts)
    rows = {
        "events": f"{score.events:,}, of {score.accounts:,} accounts",
        "produced": f"{sent / measures.sending_seconds:,.0f} events/s "
        f"({measures.sending_seconds:.1f} s)",
        "end to end": f"{sent / measures.seconds:,.0f} events/s "
        f"({measures.seconds:.1f} s, {wait:g} of them of waiting)",
        "workers": f"{workers}, using {cpu:.2f} cores together",
        "campaigns found": f"{score.campaigns_found} of {len(score.campaigns)}"
        + (f"; false: {len(score.false_campaigns)}" if score.false_campaigns else ""),
        "accounts actioned": f"{score.right_accounts:,} right, "
        f"{score.wrong_accounts:,} wrong",
        "to be suspended": f"{suspended - score.wrong_suspended:,} right, "
        f"{score.wrong_suspended:,} wrong (a person confirms each)",
    }
    for campaign in score.campaigns:
        rows |= {
            f"{campaign.name}: exchanges": f"{campaign.exchanges:,} of "
            f"{campaign.accounts:,} accounts",
            "  before the first alert": f"{campaign.share_before_alert:.1%}",
            "  before the first throttle": f"{campaign.share_before_effective:.1%}",
            "  before the account's own": f"{campaign.share_before_own_action:.1%}",
        }
    for label, value in rows.items():
        table.add_row(label, value)
    return table


def shortcomings(score: Score, measures: Measures) -> list[str]:
    """Say what keeps the demonstration from having succeeded; empty if nothing."""
    told = []
    lost = measures.stats.reported - measures.stats.delivered
    if lost:
        told.append(f"{lost:,} events were not delivered to Kafka")
    told += [
        f"campaign {campaign.name} was not found"
        for campaign in score.campaigns
        if not campaign.found
    ]
    if score.wrong_suspended:
        told.append(f"{score.wrong_suspended:,} ordinary accounts were to be suspended")
    return told
