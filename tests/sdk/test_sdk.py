from __future__ import annotations

import streams.sdk
from streams.sdk.reporter_stats import DropReason, ReporterStats
from streams.sdk.request_reporter import RequestReporter


def test_the_package_exports_what_other_teams_use_and_no_more() -> None:
    assert set(streams.sdk.__all__) == {
        "DropReason",
        "ReporterStats",
        "RequestReporter",
    }
    assert streams.sdk.RequestReporter is RequestReporter
    assert streams.sdk.ReporterStats is ReporterStats
    assert streams.sdk.DropReason is DropReason
