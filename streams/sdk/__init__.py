"""What other teams install: report requests without ever waiting for Kafka."""

from streams.sdk.reporter_stats import DropReason, ReporterStats
from streams.sdk.request_reporter import RequestReporter

__all__ = ["DropReason", "ReporterStats", "RequestReporter"]
