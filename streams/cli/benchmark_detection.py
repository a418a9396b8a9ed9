"""``distillwatch benchmark detection``: what is found, how late, at what cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

__all__ = ["app"]

app = App(
    name="detection",
    help="Measure what is found of every shape of campaign, and who is wronged.",
)

_Flag = Annotated[bool, Parameter(negative=())]
_Accounts = Annotated[int | None, Parameter(validator=validators.Number(gte=1500))]
_Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]
_SHOWN_EVERY = 0.2  # s
_FILE_WIDTH = 220  # columns where nobody's terminal sets a limit


@app.default
def detection(
    *,
    corpus: Path,
    quick: _Flag = False,
    accounts: _Accounts = None,
    only: Annotated[list[str] | None, Parameter(negative=())] = None,
    seed: int = 1,
    jobs: _Count = 1,
    out: Path | None = None,
    json: _Flag = False,
) -> None:
    """Find campaigns in populations, beside hard negatives, evaders and peers.

    Every rate comes with its 95 % Clopper-Pearson interval. The full run simulates
    200,000 accounts and takes hours.

    Parameters
    ----------
    corpus
        Folder of prompts and traces, as `distillwatch simulate --corpus` takes it.
    quick
        Small parts that take minutes: to see that it runs, with rough figures.
    accounts
        Accounts of the population in the place of 200,000 (with --quick: 3,000).
    only
        Parts to run: population, negatives, adaptive, windows, budget, ablation;
        by default all.
    seed
        Another one gives other accounts, prompts and campaigns.
    jobs
        Processes for the parts that consist of many runs; each holds the corpus.
    out
        Folder for detection.json and the plots; the plots need matplotlib.
    json
        Print one JSON object instead of tables.
    """
    import msgspec
    from rich.console import Console

    from streams.cli.detection_plots import save_plots
    from streams.cli.detection_tables import tables
    from streams.errors import ConfigError
    from streams.scenarios.detection.benchmark import benchmark
    from streams.scenarios.detection.plan import FULL, PARTS, QUICK
    from streams.scenarios.detection.source import Source

    for name in only or ():
        if name not in PARTS:
            raise ConfigError(f"--only {name}: the parts are {', '.join(PARTS)}")
    if out is not None:
        _need_matplotlib()
    plan = QUICK if quick else FULL
    plan = plan._replace(accounts=accounts or plan.accounts)
    source = Source.read(corpus, seed)
    with _progress() as progress:
        report = benchmark(
            source,
            plan,
            seed=seed,
            parts=tuple(only or PARTS),
            corpus=corpus,
            jobs=jobs,
            clock=time.perf_counter,
            progress=progress,
        )
    encoded = msgspec.json.encode(report.as_json())
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "detection.json").write_bytes(encoded)
        saved = save_plots(report, out)
    if json:
        print(encoded.decode())
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    for table in tables(report):
        console.print(table)
    if out is not None:
        console.print(f"detection.json, {', '.join(saved)} in {out}", highlight=False)


def _need_matplotlib() -> None:
    """Say before hours of work, not after, that plots cannot be made."""
    from importlib.util import find_spec

    from streams.errors import ConfigError

    if find_spec("matplotlib") is None:
        raise ConfigError(
            "--out: plots need matplotlib, which is not installed: "
            "pip install 'matplotlib>=3.10', or leave --out away"
        )


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each step on a terminal, lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from streams.cli.progress import show_progress

    console = Console(stderr=True)
    if not console.is_terminal:
        with show_progress(console) as show:

            def told(step: str, done: int, total: int) -> None:
                show(step, f"{done:,} of {total:,}")

            yield told
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        shown, step_shown = 0.0, ""

        def moved(step: str, done: int, total: int) -> None:
            nonlocal shown, step_shown
            now = time.monotonic()
            if step == step_shown and now - shown < _SHOWN_EVERY and done < total:
                return
            shown, step_shown = now, step
            bar.update(task, description=step, completed=done, total=total)

        yield moved
