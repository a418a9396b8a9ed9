"""``distillwatch benchmark``: what the parts cost, as ratios within one run."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter, validators

__all__ = ["app"]

app = App(name="benchmark", help="Measure what the parts cost; compare only ratios.")

_Flag = Annotated[bool, Parameter(negative=())]
_Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
_QUICK_EVENTS = 10_000
_PEER = "row_decode"


@app.command
def throughput(
    *,
    events: Path | None = None,
    rounds: _Positive = 3,
    quick: _Flag = False,
    json: _Flag = False,
) -> None:
    """Decode by row and by chunk, and run the engine, in turn; no broker.

    Parameters
    ----------
    events
        An events.avro; by default the hydra scenario is simulated.
    rounds
        Rounds of all parts in turn; median and spread are shown.
    quick
        Only the first 10,000 events: to see that it runs.
    json
        Print one JSON object.
    """
    import msgspec

    from streams.engine.throughput import parts, traffic_between_stages

    values = _values(events)
    if quick:
        values = values[:_QUICK_EVENTS]
    work = parts(values)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    rates = {
        name: sorted(len(values) / taken for taken in times)
        for name, times in seconds.items()
    }
    traffic = traffic_between_stages(values)._asdict()
    if json:
        medians = {name: statistics.median(rate) for name, rate in rates.items()}
        result = {"events": len(values), **medians, "between_stages": traffic}
        print(msgspec.json.encode(result).decode())
        return
    _show(len(values), rates, traffic)


def _values(events: Path | None) -> list[bytes]:
    from tempfile import TemporaryDirectory

    from streams.contracts import iter_datums
    from streams.scenarios.scenario import load
    from streams.scenarios.simulate import EVENTS, simulate

    if events is not None:
        return list(iter_datums(events))
    with TemporaryDirectory() as folder:
        simulate(load("hydra"), Path(folder))
        return list(iter_datums(Path(folder) / EVENTS))


def _show(count: int, rates: dict[str, list[float]], traffic: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{count:,} events, one process")
    for heading in ("part", "events/s", "lowest", "highest", "ratio to row decode"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    peer = statistics.median(rates[_PEER])
    for name, rate in rates.items():
        median = statistics.median(rate)
        figures = (median, rate[0], rate[-1])
        table.add_row(name, *(f"{x:,.0f}" for x in figures), f"{median / peer:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"between stages: {traffic['bytes_per_event']:.0f} bytes and "
        f"{traffic['records_per_event']:.3f} records per event",
        highlight=False,
    )
