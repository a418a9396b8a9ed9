from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import streams
from streams.bus.metrics import METRICS, Metric, Metrics

ROOT = Path(streams.__file__).parent
UNITS = ("_seconds", "_bytes", "_ratio", "_celsius")
MAKERS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}


def exposition() -> str:
    """Give what is exported once every metric has a value."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for metric in METRICS:
        made = getattr(metrics, metric.kind)(metric.name)
        child = made.labels(*metric.labels) if metric.labels else made
        if metric.kind == "counter":
            child.inc()
        elif metric.kind == "gauge":
            child.set(1)
        else:
            child.observe(1)
    return generate_latest(registry).decode()


def test_what_is_exported_is_what_the_table_says() -> None:
    families = {
        family.name: family
        for family in text_string_to_metric_families(exposition())
        if not family.name.endswith("_created")
    }
    table = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert set(families) == set(table)
    for name, family in families.items():
        assert (family.type, family.documentation) == (
            table[name].kind,
            table[name].help,
        )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_keep_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"distillwatch_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    if metric.kind == "histogram":
        assert metric.name.endswith(UNITS)
        assert list(metric.buckets) == sorted(set(metric.buckets))
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert metric.help.endswith(".")


def test_the_linter_of_prometheus_has_no_complaint() -> None:
    """The parser has read it above; promtool, where it is installed, says more."""
    text = exposition()
    assert list(text_string_to_metric_families(text))
    if promtool := shutil.which("promtool"):
        done = subprocess.run(  # noqa: S603  a fixed command
            [promtool, "check", "metrics"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_no_metric_is_made_past_the_table() -> None:
    """So the table, and the README made from it, miss none."""
    assert set(dir(prometheus_client)) >= MAKERS
    makers = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("prometheus_client")
        and MAKERS & {alias.name for alias in node.names}
    }
    assert makers == {"bus/metrics.py"}


def test_only_what_is_asked_for_is_made_and_only_as_what_it_is() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry, prefixes=["distillwatch_actions_"])
    made = {family.name for family in registry.collect()}
    assert made
    assert all(name.startswith("distillwatch_actions_") for name in made)
    with pytest.raises(KeyError):
        metrics.gauge("distillwatch_releases_overdue")
    with pytest.raises(TypeError):
        metrics.counter("distillwatch_actions_desired")
