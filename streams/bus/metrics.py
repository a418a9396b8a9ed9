"""Every Prometheus metric once: name, kind, labels, help.

:data:`METRICS` is the table. What processes export and the README's table are made from
it, so a metric cannot be in one of them and missing in the other. Units and names
follow Prometheus: base units, and ``_total`` for counters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["METRICS", "Metric", "Metrics"]

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

_ENFORCEMENT_BUCKETS: Final = (
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(20.0, 30.0, 60.0, 120.0, 300.0),
)
"""Seconds. A healthy enforcer takes 0.05 to 1; 10 is the default limit; after 300 it no
longer matters by how much."""


class Metric(NamedTuple):
    """One row of the table; ``buckets`` are the upper bounds of a histogram."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: Final = (
    Metric(
        "distillwatch_decision_to_enforced_seconds",
        "histogram",
        "Time from the Kafka timestamp of an action to the first applied "
        "acknowledgement of an enforcer.",
        ("enforcer", "rung"),
        _ENFORCEMENT_BUCKETS,
    ),
    Metric(
        "distillwatch_actions_desired",
        "gauge",
        "Actions that stand and are to be enforced.",
    ),
    Metric(
        "distillwatch_actions_enforced",
        "gauge",
        "Of these, acknowledged as applied.",
        ("enforcer",),
    ),
    Metric(
        "distillwatch_actions_overdue",
        "gauge",
        "Actions without an answer for longer than the limit; the empty enforcer "
        "stands for all while none is expected.",
        ("enforcer",),
    ),
    Metric(
        "distillwatch_actions_refused_total",
        "counter",
        "Actions that an enforcer has refused.",
        ("enforcer",),
    ),
    Metric(
        "distillwatch_releases_overdue",
        "gauge",
        "Actions that are over and for longer than the limit not acknowledged as "
        "released or expired.",
        ("enforcer",),
    ),
    Metric(
        "distillwatch_enforcer_heard_timestamp_seconds",
        "gauge",
        "Time of the last acknowledgement of an enforcer.",
        ("enforcer",),
    ),
    Metric(
        "distillwatch_reconcile_progress_timestamp_seconds",
        "gauge",
        "Time up to which both topics are known to have been read; it stands still "
        "when the broker is away or the reader is stuck, not when nothing happens.",
    ),
    Metric(
        "distillwatch_reconcile_unreadable_total",
        "counter",
        "Records of the two topics that could not be read.",
        ("topic",),
    ),
    Metric(
        "distillwatch_heartbeat_seconds",
        "gauge",
        "Time that the last heartbeat which came through took from the first event "
        "to the last decision.",
    ),
    Metric(
        "distillwatch_heartbeat_last_success_timestamp_seconds",
        "gauge",
        "Time at which a heartbeat came through last; it stands still when the "
        "workers find nothing any more.",
    ),
    Metric(
        "distillwatch_heartbeat_failures_total",
        "counter",
        "Heartbeats that did not come through in time.",
    ),
)
"""In the order of the documentation."""


class Metrics:
    """The metrics of the table whose names begin so, made in ``registry``.

    A name that is not in the table is a `KeyError`, one of another kind a `TypeError`.

    >>> metrics = Metrics(CollectorRegistry(), prefixes=["distillwatch_actions_"])
    >>> metrics.gauge("distillwatch_actions_desired").set(3)
    """

    def __init__(
        self, registry: CollectorRegistry, *, prefixes: Iterable[str] = ("",)
    ) -> None:
        self._made: dict[str, Counter | Gauge | Histogram] = {
            metric.name: _make(metric, registry)
            for metric in METRICS
            if metric.name.startswith(tuple(prefixes))
        }

    def counter(self, name: str) -> Counter:
        """Give a counter of the table."""
        return _typed(self._made[name], Counter)

    def gauge(self, name: str) -> Gauge:
        """Give a gauge of the table."""
        return _typed(self._made[name], Gauge)

    def histogram(self, name: str) -> Histogram:
        """Give a histogram of the table."""
        return _typed(self._made[name], Histogram)


def _make(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name, help_, labels = metric.name, metric.help, metric.labels
    if metric.kind == "counter":
        return Counter(name, help_, labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(name, help_, labels, registry=registry)
    return Histogram(name, help_, labels, buckets=metric.buckets, registry=registry)


_Kind = TypeVar("_Kind", Counter, Gauge, Histogram)


def _typed(metric: object, kind: type[_Kind]) -> _Kind:
    if not isinstance(metric, kind):
        raise TypeError(f"{metric} is no {kind.__name__}")
    return metric
