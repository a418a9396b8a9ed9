"""``distillwatch simulate``: make up the traffic of a scenario, and its truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from streams.errors import ScenarioError

__all__ = ["app"]

app = App(
    name="simulate",
    help="Write a scenario's events.avro and truth.csv; see --list and --show.",
)
_Flag = Annotated[bool, Parameter(negative=())]


@app.default
def simulate(
    scenario: str | None = None,
    *,
    out: Path | None = None,
    corpus: Path | None = None,
    seed: int | None = None,
    list_: Annotated[_Flag, Parameter(name="--list")] = False,
    show: str | None = None,
) -> None:
    """Write a scenario's events.avro, truth.csv and exchanges.csv.

    Parameters
    ----------
    scenario
        A shipped name such as calm, or a TOML file.
    out
        Folder to write to; made if it is not there.
    corpus
        Folder with prompts/*.jsonl.gz and traces/; without it prompts are made up.
    seed
        Replaces the scenario's own seed.
    list_
        List the shipped scenarios and end.
    show
        Print a scenario's TOML, to start an own one from, and end.
    """
    from streams.scenarios.scenario import load, shipped, source

    if list_:
        for name in shipped():
            print(f"{name:10} {load(name).description}")
        return
    if show is not None:
        print(source(show)[1].decode(), end="")
        return
    if scenario is None or out is None:
        raise ScenarioError(
            "say which scenario and where to: distillwatch simulate calm --out DIR"
        )
    _run(scenario, out, corpus, seed)


def _run(name: str, out: Path, corpus: Path | None, seed: int | None) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from streams.scenarios.scenario import load
    from streams.scenarios.simulate import simulate as run

    scenario = load(name)
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks: dict[str, int] = {}

    def show(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = int(bar.add_task(step, total=total))
        bar.update(tasks[step], completed=done)  # type: ignore[arg-type]  # a TaskID is an int

    with bar:
        made = run(scenario, out, corpus=corpus, seed=seed, progress=show)
    print(
        f"{scenario.name}: {made.events:,} events of {made.accounts:,} accounts in "
        f"{out}; {made.campaign_exchanges:,} of {made.campaign_accounts:,} campaign "
        "accounts"
    )
