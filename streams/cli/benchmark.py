"""``distillwatch benchmark``: what the parts cost, and what others cost beside them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter, validators

if TYPE_CHECKING:
    from rich.table import Table

    from streams.cli.benchmarks.stand import Stand
    from streams.cli.benchmarks.traffic import Size

__all__ = ["app"]

app = App(
    name="benchmark",
    help="Measure speed, beside others, with a broker of its own.",
)
app.command("streams.cli.benchmark_detection:app", name="detection")

_Flag = Annotated[bool, Parameter(negative=())]
_Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
_Only = Annotated[list[str] | None, Parameter(negative=())]


@app.command
def throughput(
    *,
    rounds: _Positive = 3,
    only: _Only = None,
    chart: Path | None = None,
    quick: _Flag = False,
    json: _Flag = False,
) -> None:
    """Events per second of the pipeline, its parts, and other frameworks.

    Parameters
    ----------
    rounds
        Rounds of all contestants in turn; median and spread are shown.
    only
        Names of contestants, as --json has them; by default all.
    chart
        Write the table with its bars to this SVG file, too.
    quick
        60,000 events instead of a million: to see that it runs.
    json
        Print one JSON object.
    """
    from streams.cli.benchmarks.show import stepper, steps, throughput_table
    from streams.cli.benchmarks.throughput import OURS, PEERS, measure_throughput

    names = _chosen(only, (*OURS, *PEERS))
    with (
        _prepared(quick=quick) as (stand, traffic, size),
        steps(rounds * len(names) + 1, "throughput") as progress,
    ):
        result = measure_throughput(
            stand,
            traffic,
            size,
            names,
            rounds=rounds,
            quick=quick,
            step=stepper(progress),
        )
    _tell(result.as_json(), lambda: throughput_table(result), json=json, chart=chart)


@app.command
def latency(
    *, chart: Path | None = None, quick: _Flag = False, json: _Flag = False
) -> None:
    """Milliseconds from the deciding event to the action, by load, and live.

    Parameters
    ----------
    chart
        Write the table with its bars to this SVG file, too.
    quick
        60,000 events instead of a million: to see that it runs.
    json
        Print one JSON object.
    """
    from streams.cli.benchmarks.latency import LOADS, measure_latency
    from streams.cli.benchmarks.show import latency_table, stepper, steps

    with (
        _prepared(quick=quick) as (stand, traffic, _),
        steps(len(LOADS) + 3, "latency") as progress,
    ):
        result = measure_latency(stand, traffic, stepper(progress))
    _tell(result, lambda: latency_table(result), json=json, chart=chart)


@app.command
def memory(
    *, chart: Path | None = None, quick: _Flag = False, json: _Flag = False
) -> None:
    """Resident bytes per account and microseconds per event, by number of accounts.

    Parameters
    ----------
    chart
        Write the table with its bars to this SVG file, too.
    quick
        Up to 100,000 accounts instead of 5 million.
    json
        Print one JSON object.
    """
    from streams.cli.benchmarks.memory import FULL_SIZES, QUICK_SIZES, measure_memory
    from streams.cli.benchmarks.show import memory_table, stepper, steps

    sizes = QUICK_SIZES if quick else FULL_SIZES
    with steps(2 * len(sizes), "memory") as progress:
        result = measure_memory(sizes, stepper(progress))
    _tell(result, lambda: memory_table(result), json=json, chart=chart)


@app.command
def recovery(*, quick: _Flag = False, json: _Flag = False) -> None:
    """Seconds until a worker is back, and the pause when another one joins.

    Parameters
    ----------
    quick
        20,000 accounts instead of a million: to see that it runs.
    json
        Print one JSON object.
    """
    from streams.cli.benchmarks.recovery import (
        FULL_ACCOUNTS,
        QUICK_ACCOUNTS,
        measure_recovery,
    )
    from streams.cli.benchmarks.show import recovery_table, stepper, steps
    from streams.cli.benchmarks.stand import stand
    from streams.cli.progress import show_progress

    _end_in_order()
    with ExitStack() as stack:
        with show_progress() as show:
            place = stack.enter_context(stand(show))
        progress = stack.enter_context(steps(4, "recovery"))
        accounts = QUICK_ACCOUNTS if quick else FULL_ACCOUNTS
        result = measure_recovery(place, accounts, stepper(progress))
    _tell(result, lambda: recovery_table(result), json=json)


@app.command
def scaling(
    *,
    rounds: _Positive = 3,
    chart: Path | None = None,
    quick: _Flag = False,
    json: _Flag = False,
) -> None:
    """Events per second of one worker and two, and a model up to a million.

    Parameters
    ----------
    rounds
        Rounds of one worker and two in turn; the median is shown.
    chart
        Write the table with its bars to this SVG file, too.
    quick
        60,000 events instead of a million: to see that it runs.
    json
        Print one JSON object.
    """
    from streams.cli.benchmarks.scaling import measure_scaling
    from streams.cli.benchmarks.show import scaling_table, stepper, steps

    with (
        _prepared(quick=quick) as (stand, traffic, _),
        steps(2 * rounds + 2, "scaling") as progress,
    ):
        result = measure_scaling(stand, traffic, rounds=rounds, step=stepper(progress))
    _tell(result.as_json(), lambda: scaling_table(result), json=json, chart=chart)


@app.command
def reporter(
    *,
    rounds: _Positive = 3,
    chart: Path | None = None,
    quick: _Flag = False,
    json: _Flag = False,
) -> None:
    """Events per second of one reporter, and microseconds that a gateway pays for each.

    Parameters
    ----------
    rounds
        Rounds of the reporter and the plain producers in turn; the median is shown.
    chart
        Write the table with its bars to this SVG file, too.
    quick
        6,000 events instead of 60,000: to see that it runs.
    json
        Print one JSON object.
    """
    from streams.cli.benchmarks.producers import measure_producers, traffic_events
    from streams.cli.benchmarks.show import stepper, steps
    from streams.cli.benchmarks.show_producers import reporter_table

    contestants = 3
    with (
        _prepared(quick=True) as (stand, traffic, size),
        steps(rounds * contestants, "reporter") as progress,
    ):
        events = traffic_events(traffic, size.events // (10 if quick else 1))
        result = measure_producers(
            stand.bootstrap, events, rounds=rounds, step=stepper(progress)
        )
    _tell(result.as_json(), lambda: reporter_table(result), json=json, chart=chart)


@app.command
def sketch(
    *, corpus: Path | None = None, rounds: _Positive = 5, json: _Flag = False
) -> None:
    """Microseconds to sketch 1,000 characters, by script and by how new the words are.

    Parameters
    ----------
    corpus
        Folder of prompts, as ``distillwatch simulate --corpus`` takes it; by default
        prompts are made up, which repeat their words more often than people do.
    rounds
        Rounds; the least of each figure is shown.
    json
        Print one JSON object.
    """
    from streams.cli.benchmarks.show_producers import sketch_table
    from streams.cli.benchmarks.sketches import measure_sketches

    result = measure_sketches(corpus, rounds=rounds)
    _tell(result.as_json(), lambda: sketch_table(result), json=json)


def _chosen(only: list[str] | None, names: tuple[str, ...]) -> tuple[str, ...]:
    from streams.errors import ConfigError

    for name in only or ():
        if name not in names:
            raise ConfigError(f"--only {name}: the contestants are {', '.join(names)}")
    return tuple(only) if only else names


@contextmanager
def _prepared(*, quick: bool) -> Iterator[tuple[Stand, Path, Size]]:
    """Make the traffic and start a broker."""
    from streams.cli.benchmarks.stand import stand
    from streams.cli.benchmarks.traffic import FULL, QUICK, cached_traffic
    from streams.cli.progress import show_progress

    size = QUICK if quick else FULL
    _end_in_order()
    with ExitStack() as stack:
        with show_progress() as show:

            def made(step: str, done: int, total: int) -> None:
                show(f"making the traffic: {step}", f"{done / max(total, 1):.0%}")

            traffic = cached_traffic(size, made)
            place = stack.enter_context(stand(show))
        yield place, traffic, size


def _end_in_order() -> None:
    """Let SIGTERM end this process like Ctrl-C: there is a broker to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _tell(
    figures: Any,
    table: Callable[[], Table],
    *,
    json: bool,
    chart: Path | None = None,
) -> None:
    """Print the result as JSON or as a table; write the chart where one is wanted."""
    import msgspec
    from rich.console import Console

    from streams.cli.benchmarks.show import save_chart

    if chart is not None:
        save_chart(table(), chart)
    if json:
        print(msgspec.json.encode(figures).decode())
    else:
        Console().print(table())
