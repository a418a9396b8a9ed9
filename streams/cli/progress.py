"""Show a long step on the terminal: a spinner there, plain lines in a log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console

__all__ = ["event_bar", "show_progress"]

PLAIN_INTERVAL = 5.0  # s between two lines of one step where nothing can be redrawn


@contextlib.contextmanager
def show_progress(
    console: Console | None = None,
) -> Iterator[Callable[[str, str], None]]:
    """Yield a function that shows a step and how far it has got.

    On a terminal it is one line that is redrawn. Elsewhere each step is a line, and
    its details are lines at most every 5 s.
    """
    console = console or Console(stderr=True)
    if console.is_terminal:
        with console.status("") as status:
            yield lambda step, detail: status.update(f"{step}  {detail}")
        return
    shown_step, shown_at = "", 0.0

    def show(step: str, detail: str) -> None:
        nonlocal shown_step, shown_at
        now = time.monotonic()
        if step != shown_step or now - shown_at >= PLAIN_INTERVAL:
            console.print(f"{step}  {detail}".rstrip(), highlight=False, soft_wrap=True)
            shown_step, shown_at = step, now

    yield show


@contextlib.contextmanager
def event_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many more of ``total`` events are done.

    It draws a bar on stderr when that is a terminal, and nothing elsewhere.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("events", total=total)
        yield lambda done: bar.advance(task, done)
