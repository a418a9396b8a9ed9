"""What other teams install: to report requests, and to enforce actions."""

from streams.sdk.acknowledger import Acknowledger
from streams.sdk.action_view import ActionView
from streams.sdk.decision import Decision
from streams.sdk.middleware import EnforcementMiddleware, MiddlewareSettings
from streams.sdk.reporter_stats import DropReason, ReporterStats
from streams.sdk.request_reporter import RequestReporter
from streams.sdk.view_stats import ViewStats

__all__ = [
    "Acknowledger",
    "ActionView",
    "Decision",
    "DropReason",
    "EnforcementMiddleware",
    "MiddlewareSettings",
    "ReporterStats",
    "RequestReporter",
    "ViewStats",
]
