from __future__ import annotations

from collections import Counter

import pytest
from prometheus_client import CollectorRegistry

from streams.policy.enforcement_state import EnforcementState, EnforcerState, Latency
from streams.sdk.reconcile_metrics import ReconcileMetrics

NOW = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC


def enforcer(name: str, overdue: int, heard_at: int | None = NOW) -> EnforcerState:
    return EnforcerState(
        enforcer=name,
        heard_at=heard_at,
        desired=7,
        enforced=4,
        refused=1,
        pending=overdue,
        held=1,
        overdue=overdue,
        releases_overdue=1,
        too_old=0,
        p50=None,
        p99=None,
        oldest=(),
        refusals={},
    )


def state(*enforcers: EnforcerState, unanswered: int = 0) -> EnforcementState:
    return EnforcementState(NOW, 7, enforcers, unanswered, None, NOW)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> ReconcileMetrics:
    return ReconcileMetrics(registry)


def test_gauges_are_those_of_the_newest_state(
    registry: CollectorRegistry, metrics: ReconcileMetrics
) -> None:
    def overdue(name: str) -> float | None:
        return registry.get_sample_value(
            "distillwatch_actions_overdue", {"enforcer": name}
        )

    metrics.show(state(enforcer("edge-1", 2), enforcer("edge-2", 0, heard_at=None)))
    assert registry.get_sample_value("distillwatch_actions_desired") == 7
    assert (overdue("edge-1"), overdue("edge-2"), overdue("")) == (2, 0, 0)
    progress = "distillwatch_reconcile_progress_timestamp_seconds"
    assert registry.get_sample_value(progress) == NOW / 1000
    metrics.show(state(enforcer("edge-2", 1)))
    assert (overdue("edge-1"), overdue("edge-2")) == (None, 1)
    metrics.show(state(unanswered=3))
    assert (overdue("edge-2"), overdue("")) == (None, 3)


def test_latencies_and_refusals_add_up(
    registry: CollectorRegistry, metrics: ReconcileMetrics
) -> None:
    latencies = [Latency("edge-1", "throttle", 0.3), Latency("edge-1", "suspend", 400)]
    metrics.count(latencies, Counter({"edge-1": 2}))
    metrics.count(latencies, Counter())
    name = "distillwatch_decision_to_enforced_seconds"
    labels = {"enforcer": "edge-1", "rung": "throttle"}
    assert registry.get_sample_value(f"{name}_count", labels) == 2
    assert registry.get_sample_value(f"{name}_bucket", labels | {"le": "0.25"}) == 0
    assert registry.get_sample_value(f"{name}_bucket", labels | {"le": "0.5"}) == 2
    refused = "distillwatch_actions_refused_total"
    assert registry.get_sample_value(refused, {"enforcer": "edge-1"}) == 2
    metrics.count_unreadable("llm.acks")
    unreadable = "distillwatch_reconcile_unreadable_total"
    assert registry.get_sample_value(unreadable, {"topic": "llm.acks"}) == 1
