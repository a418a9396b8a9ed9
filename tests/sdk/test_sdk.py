from __future__ import annotations

import streams.sdk


def test_the_package_exports_what_other_teams_use_and_no_more() -> None:
    homes = {
        name: getattr(streams.sdk, name).__module__ for name in streams.sdk.__all__
    }
    assert homes == {
        "Acknowledger": "streams.sdk.acknowledger",
        "ActionView": "streams.sdk.action_view",
        "Decision": "streams.sdk.decision",
        "DropReason": "streams.sdk.reporter_stats",
        "EnforcementMiddleware": "streams.sdk.middleware",
        "MiddlewareSettings": "streams.sdk.middleware",
        "ReporterStats": "streams.sdk.reporter_stats",
        "RequestReporter": "streams.sdk.request_reporter",
        "ViewStats": "streams.sdk.view_stats",
    }
