"""Tables of what a gateway pays."""

from __future__ import annotations

from typing import Final

from rich.table import Table

from streams.cli.benchmarks.producers import REPORTER, TARGETS, Producers
from streams.cli.benchmarks.show import add_bar, bar_table
from streams.cli.benchmarks.sketches import SketchCosts

__all__ = ["reporter_table", "sketch_table"]

_TITLES: Final = {
    REPORTER: "[bold]RequestReporter[/]",
    "confluent_fastavro": "confluent-kafka, fastavro",
    "confluent_encoded": "confluent-kafka, always the same bytes",
}


def reporter_table(result: Producers) -> Table:
    """Show events per second, and microseconds of each event."""
    headings = ("contestant", "events/s", "call us", "interpreter us", "all CPU us")
    table = bar_table(f"{result.events:,} events from one thread", headings)
    costs = {name: result.typical(name) for name in result.rounds}
    top = max(cost.events_per_second for cost in costs.values())
    for name, cost in sorted(costs.items(), key=lambda i: -i[1].events_per_second):
        cells = [
            _TITLES[name],
            f"{cost.events_per_second:,.0f}",
            f"{cost.call_us:.1f}",
            f"{cost.interpreter_us:.1f}",
            f"{cost.cpu_us:.1f}",
        ]
        add_bar(table, cells, cost.events_per_second / top)
    rate, call = TARGETS["events_per_second"], TARGETS["call_us"]
    table.add_row("  wanted", f"{rate:,.0f}", f"{call:.1f}", "", "")
    return table


def sketch_table(result: SketchCosts) -> Table:
    """Show microseconds by kind of text."""
    headings = ("1,000 characters of", "known words", "new text", "one by one")
    table = bar_table("microseconds to sketch", headings)
    top = max(cost.one_us for cost in result.costs.values())
    for kind, cost in result.costs.items():
        times = (cost.many_us, cost.fresh_us, cost.one_us)
        add_bar(table, [kind, *(f"{us:.0f}" for us in times)], cost.many_us / top)
    table.add_row("  wanted", f"{TARGETS['sketch_us']:.0f}", "", "")
    return table
