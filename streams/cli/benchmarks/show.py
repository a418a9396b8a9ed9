"""Progress and results of the benchmarks on the terminal; a chart as SVG."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rich import box
from rich.bar import Bar
from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from streams.cli.benchmarks.contestant import CONTESTANTS
from streams.cli.benchmarks.latency import LatencyResult
from streams.cli.benchmarks.memory import MemoryResult
from streams.cli.benchmarks.recovery import RecoveryResult
from streams.cli.benchmarks.scaling import ScalingResult
from streams.cli.benchmarks.throughput import OURS, PIPELINE, Throughput

__all__ = [
    "add_bar",
    "bar_table",
    "latency_table",
    "machine",
    "memory_table",
    "recovery_table",
    "save_chart",
    "scaling_table",
    "stepper",
    "steps",
    "throughput_table",
]

_BAR_WIDTH: Final = 12
_CHART_WIDTH: Final = 100  # columns of an SVG


@contextlib.contextmanager
def steps(total: int, title: str) -> Iterator[Progress]:
    """Show a bar over ``total`` steps on stderr, and the step that runs."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        progress.add_task(title, total=total)
        yield progress


def stepper(progress: Progress) -> Callable[[str], None]:
    """Make a function that names the next step; plain lines where nothing redraws."""
    task = progress.task_ids[0]
    begun = False

    def step(title: str) -> None:
        nonlocal begun
        progress.update(task, description=title, advance=float(begun))
        begun = True
        if progress.disable:
            progress.console.print(title, highlight=False)

    return step


def machine() -> dict[str, float]:
    """Tell how many cores there are and how busy the machine is, for the record."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {"cores": os.cpu_count() or 1, "load_before": round(load, 2)}


def bar_table(title: str, headings: Sequence[str]) -> Table:
    """Make a table whose first column is text, the others numbers, the last a bar."""
    # Eighty columns are enough for all of them.
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for number, heading in enumerate(headings):
        justify: JustifyMethod = "right" if number else "left"
        table.add_column(heading, justify=justify, no_wrap=not number)
    table.add_column("", width=_BAR_WIDTH, no_wrap=True)
    return table


def add_bar(table: Table, cells: Sequence[str], share: float) -> None:
    """Add a row with a bar that fills ``share`` of its column."""
    table.add_row(*cells, Bar(1.0, 0.0, max(share, 0.0), width=_BAR_WIDTH))


def throughput_table(result: Throughput) -> Table:
    """Show events per second, fastest first, and what the pipeline is next to them."""
    figures = result.as_json()
    headings = ("contestant", "events/s", "spread", "per core-s", "pipeline is")
    size = result.size
    title = f"{size.events:,} events of {size.accounts:,} accounts, one core each"
    table = bar_table(title, headings)
    rates = {name: result.rate(name) for name in result.rounds}
    top = max(rate for rate in rates.values() if rate)
    for name, rate in sorted(rates.items(), key=lambda item: -(item[1] or 0)):
        if rate is None:
            add_bar(table, [_title(name), "not installed", "", "", ""], 0.0)
            continue
        low, high = figures["spread"][name]
        over = figures["pipeline_over"].get(name)
        cells = [
            _title(name),
            f"{rate:,.0f}",
            f"{(high - low) / rate:.0%}",
            f"{figures['events_per_core_second'][name]:,.0f}",
            "" if over is None or name == PIPELINE else f"{over:.2f} x",
        ]
        add_bar(table, cells, rate / top)
    if published := result.published_rate():
        cells = ["  until all is published", f"{published:,.0f}", "", "", ""]
        add_bar(table, cells, published / top)
    return table


def _title(name: str) -> str:
    title = "whole pipeline" if name == PIPELINE else CONTESTANTS[name].title
    return f"[bold]{title}[/]" if name in OURS else title


def latency_table(result: LatencyResult) -> Table:
    """Show the latency at each load, with a bar of its 99th percentile."""
    headings = ("load", "flush every", "p50", "p99", "p99.9", "flush", "hops")
    title = f"deciding event to action, capacity {result.capacity:,.0f} events/s"
    table = bar_table(title, headings)
    rows = [*result.loads, result.low_latency, result.live]
    slowest = max(row.p99_ms for row in rows)
    for row in rows:
        times = (row.p50_ms, row.p99_ms, row.p99_9_ms, row.flush_ms, row.hops_ms)
        live = " live" if row is result.live else ""
        cells = [
            f"{row.load:.0%}{live}, {row.actions:,} actions",
            f"{row.flush_interval_s * 1000:.0f} ms",
            *(f"{value:,.0f} ms" for value in times),
        ]
        add_bar(table, cells, row.p99_ms / slowest)
    return table


def memory_table(result: MemoryResult) -> Table:
    """Show bytes, also after silence, and microseconds by number of accounts."""
    headings = (
        "accounts", "bytes each", "with own facets", "left when silent",
        "us per event",
    )  # fmt: skip
    table = bar_table(
        "resident memory of all stages, and the cost of an event", headings
    )
    most = max(result.bytes_per_account.values())
    for size, held in result.bytes_per_account.items():
        own = result.with_own_facets.get(size)
        silent = result.after_silence.get(size)
        cells = [
            f"{int(size):,}",
            f"{held:,.0f}",
            "" if own is None else f"{own:,.0f}",
            "" if silent is None else f"{silent:,.0f}",
            f"{result.microseconds_per_event[size]:.1f}",
        ]
        add_bar(table, cells, held / most)
    for size in result.left_out:
        table.add_row(f"{int(size):,}", "too little memory here", "", "", "", "")
    return table


def recovery_table(result: RecoveryResult) -> Table:
    """Show how long a worker takes to be back."""
    table = Table(title=f"recovery with {result.accounts:,} accounts ({result.rows})")
    table.add_column("from")
    table.add_column("to")
    table.add_column("seconds", justify="right")
    for begin, end, seconds in (
        ("start", "partitions recovered", result.ready_s),
        ("start", "first scored event", result.seconds_1m),
        ("kill -9", "first scored event of the next worker", result.after_kill_s),
        ("second worker starts", "pause of what it gets", result.moved_pause_s),
        ("second worker starts", "pause of what stays", result.kept_pause_s),
        ("", "the longest pause otherwise", result.usual_pause_s),
    ):
        table.add_row(begin, end, f"{seconds:.1f}")
    return table


def scaling_table(result: ScalingResult) -> Table:
    """Show both measured points beside the model, and what more events would need."""
    figures = result.as_json()
    headings = ("", "events/s", "model", "workers", "broker CPU", "first bottleneck")
    table = bar_table(f"workers on {figures['cores']} cores, and plans", headings)
    points = figures["workers"]
    top = max(point["events_per_second"] for point in points.values())
    for workers, point in points.items():
        share = point["share_of_machine"]
        cells = [
            f"{workers} measured",
            f"{point['events_per_second']:,.0f}",
            f"{point['predicted']:,.0f} ({point['model_error']:+.0%})",
            f"{share['workers']:.0%} of CPU",
            f"{share['broker']:.0%}",
            point["predicted_bottleneck"],
        ]
        add_bar(table, cells, point["events_per_second"] / top)
    for needs in figures["plans"]:
        table.add_row(
            "planned",
            f"{needs['events_per_second']:,.0f}",
            "",
            f"{needs['workers']}, {needs['partitions']} partitions",
            f"{needs['broker_cores']} cores",
            str(needs["first_bottleneck"]),
        )
    return table


def save_chart(table: Table, file: Path) -> None:
    """Write a table with its bars as an SVG."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=_CHART_WIDTH, file=nowhere)
        console.print(table)
        file.write_text(console.export_svg(title="distillwatch benchmark"), "utf-8")
