from __future__ import annotations

import io

import msgspec
from rich.console import Console

from streams.cli.demo_report import report, shortcomings
from streams.cli.demo_run import Measures
from streams.scenarios.score import CampaignScore, CohortScore, Score
from streams.sdk import ReporterStats

CAMPAIGN = CampaignScore(
    name="hydra",
    found_as=("dc-1",),
    accounts=40,
    exchanges=800,
    accounts_actioned=38,
    accounts_effective=30,
    delay_hours=1.0,
    delay_exchanges=80,
    share_before_alert=0.1,
    share_before_action=0.1,
    share_before_effective=0.15,
    share_before_own_action=0.4,
    share_not_covered=0.4,
)
SCORE = Score(
    events=3000,
    accounts=300,
    ordinary_account_days=500,
    campaigns=(CAMPAIGN,),
    cohorts=(
        CohortScore("campaign", 40, 38, {"none": 2, "throttle": 30, "suspend": 8}),
        CohortScore("people", 260, 1, {"none": 259, "suspend": 1}),
    ),
    campaigns_found=1,
    false_campaigns=(),
    right_accounts=38,
    wrong_accounts=1,
    wrong_effective=1,
    wrong_suspended=0,
    precision=1.0,
    recall=1.0,
    wrong_per_million_account_days=0.0,
    unknown_accounts=0,
    other_subjects=0,
    actions=100,
    alerts=1,
)
STATS = ReporterStats(reported=3000, delivered=3000, failed=0, buffered=0, dropped={})
MEASURES = Measures(STATS, sending_seconds=2.0, seconds=10.0, cpu_seconds=15.0)


def _printed(score: Score) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(report(score, MEASURES, 2))
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_the_table_has_rates_findings_and_leaks() -> None:
    score = msgspec.structs.replace(SCORE, wrong_suspended=1, false_campaigns=("x",))
    shown = _printed(score)
    for cell in (
        "3,000, of 300 accounts",
        "1,500 events/s (2.0 s)",
        "300 events/s (10.0 s, 5 of them of waiting)",
        "2, using 1.50 cores together",
        "1 of 1; false: 1",
        "38 right, 1 wrong",
        "8 right, 1 wrong",
        "800 of 40 accounts",
        "before the first alert │ 10.0%",
        "before the first throttle │ 15.0%",
        "before the account's own │ 40.0%",
    ):
        assert cell in shown


def test_a_run_without_faults_has_no_shortcomings() -> None:
    assert shortcomings(SCORE, MEASURES) == []


def test_lost_events_missed_campaigns_and_wronged_accounts_are_shortcomings() -> None:
    missed = msgspec.structs.replace(CAMPAIGN, found_as=())
    score = msgspec.structs.replace(SCORE, campaigns=(missed,), wrong_suspended=3)
    stats = ReporterStats(
        reported=3000, delivered=2990, failed=10, buffered=0, dropped={}
    )
    assert shortcomings(score, MEASURES._replace(stats=stats)) == [
        "10 events were not delivered to Kafka",
        "campaign hydra was not found",
        "3 ordinary accounts were to be suspended",
    ]
