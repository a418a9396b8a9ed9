"""``distillwatch reference``: build the frozen reference, or show the shipped one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

from streams.errors import ConfigError

__all__ = ["app"]

_Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]

app = App(name="reference", help="The frozen reference of benign groups.")


@app.command
def build(
    out: Path,
    *,
    version: str,
    benign: _Count = 84,
    campaigns: _Count = 36,
    corpus: Path | None = None,
    jobs: _Count = 1,
) -> None:
    """Simulate populations and write a reference.json; takes an hour of one core.

    Parameters
    ----------
    out
        File to write.
    version
        Name of the reference; it appears in every action and alert.
    benign
        Honest populations of each of three kinds, with some 150 groups each: they set
        the resolution.
    campaigns
        Populations with campaigns, on which the prior's weights are fitted, and whose
        bystanders accounts are compared with.
    corpus
        Folder with prompts/*.jsonl.gz; half of the populations use it.
    jobs
        Processes.
    """
    from rich.progress import Progress

    from streams.scenarios.reference_builder import build_reference

    # Before the work, not after it.
    if not out.parent.is_dir():
        raise ConfigError(f"{out.parent} is not a folder; make it first")
    with Progress() as bar:
        tasks: dict[str, int] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = int(bar.add_task(step, total=total))
            bar.update(tasks[step], completed=done)  # type: ignore[arg-type]

        content = build_reference(
            version=version,
            benign=benign,
            campaigns=campaigns,
            corpus=corpus,
            jobs=jobs,
            progress=show,
        )
    out.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


@app.command
def show() -> None:
    """Print the version, the sizes and the resolution limits of the reference."""
    from rich.console import Console
    from rich.table import Table

    from streams.models.reference import GROUP_LOOKS, STRATA, WEIGHTS, load_reference

    reference = load_reference()
    table = Table(title=f"reference {reference.version}", pad_edge=False)
    for heading in ("exchanges", *(name.replace("_", " ") for name in STRATA)):
        table.add_column(heading, justify="right")
    for exchanges, strata in zip(GROUP_LOOKS, reference.groups, strict=True):
        sizes = [strata[name]["joint"].size for name in STRATA]
        cells = [f"{n:,} ({WEIGHTS['joint'] * (n + 1):,.0f})" for n in sizes]
        table.add_row(f"{exchanges:,}", *cells)
    console = Console()
    console.print(table)
    console.print(
        "groups of each stratum, and the largest e-value they can be asked for"
    )
    console.print(
        f"{reference.bystanders.size:,} bystanders: largest e-value "
        f"{reference.member_e_value(math.inf):,.0f}"
    )
