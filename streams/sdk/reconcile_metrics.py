"""The state of a reconciliation as Prometheus metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry

from streams.bus.metrics import Metrics
from streams.policy.enforcement_state import EnforcementState, Latency

__all__ = ["ReconcileMetrics"]

_PREFIXES: Final = (
    "distillwatch_actions_",
    "distillwatch_decision_to_enforced_",
    "distillwatch_enforcer_",
    "distillwatch_reconcile_",
    "distillwatch_releases_",
)
_NOBODY: Final = ""  # in place of an enforcer while none is expected
_SECOND: Final = 1000  # ms


class ReconcileMetrics:
    """Sets gauges from states, and counts what is new; see `bus.metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        metrics = Metrics(registry, prefixes=_PREFIXES)
        self._desired = metrics.gauge("distillwatch_actions_desired")
        self._enforced = metrics.gauge("distillwatch_actions_enforced")
        self._overdue = metrics.gauge("distillwatch_actions_overdue")
        self._releases = metrics.gauge("distillwatch_releases_overdue")
        self._heard = metrics.gauge("distillwatch_enforcer_heard_timestamp_seconds")
        self._progress = metrics.gauge(
            "distillwatch_reconcile_progress_timestamp_seconds"
        )
        self._refused = metrics.counter("distillwatch_actions_refused_total")
        self._unreadable = metrics.counter("distillwatch_reconcile_unreadable_total")
        self._seconds = metrics.histogram("distillwatch_decision_to_enforced_seconds")
        self._shown: set[str] = set()

    def show(self, state: EnforcementState) -> None:
        """Set the gauges; enforcers that are no longer expected vanish from them."""
        self._progress.set(state.at / _SECOND)
        self._desired.set(state.desired)
        shown = {_NOBODY}
        self._overdue.labels(_NOBODY).set(state.unanswered)
        for each in state.enforcers:
            shown.add(each.enforcer)
            self._enforced.labels(each.enforcer).set(each.enforced)
            self._overdue.labels(each.enforcer).set(each.overdue)
            self._releases.labels(each.enforcer).set(each.releases_overdue)
            if each.heard_at is not None:
                self._heard.labels(each.enforcer).set(each.heard_at / _SECOND)
        for gone in self._shown - shown:
            for gauge in (self._enforced, self._overdue, self._releases, self._heard):
                gauge.remove_by_labels({"enforcer": gone})
        self._shown = shown

    def count(self, latencies: Iterable[Latency], refused: Counter[str]) -> None:
        """Add what has become known since the last call."""
        for each in latencies:
            self._seconds.labels(each.enforcer, each.rung).observe(each.seconds)
        for enforcer, number in refused.items():
            self._refused.labels(enforcer).inc(number)

    def count_unreadable(self, topic: str) -> None:
        """Add a record that cannot be read."""
        self._unreadable.labels(topic).inc()
