"""What the demonstration shows while it runs: redrawn on a terminal, else lines."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections import deque
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from streams.bus.records_consumer import ReceivedRecord
from streams.cli.demo_run import ALERT_TOPIC, Screen, State
from streams.cli.record_lines import record_text
from streams.policy.ladder import RUNGS

__all__ = ["PlainScreen", "TerminalScreen", "state_line", "watch"]

_PLAIN_INTERVAL = 5.0  # s between two lines of state
_ACTIONS_SHOWN = 5  # in a log; more of them say nothing new
_LINES = 10  # of the newest alerts and actions, on a terminal
_REDRAWS = 4  # a second


@contextlib.contextmanager
def watch(console: Console) -> Iterator[Screen]:
    """Give the screen that suits the console."""
    if console.is_terminal:
        screen = TerminalScreen()
        with Live(
            get_renderable=screen.render, console=console, refresh_per_second=_REDRAWS
        ):
            yield screen
    else:
        yield PlainScreen(console)


def state_line(state: State) -> str:
    """Say in one line how far a run is.

    >>> from collections import Counter
    >>> state_line(State(70, 100, 0, 9, 4, 1, Counter(throttle=2, observe=3)))
    '70 of 100 events sent, processed up to 1970-01-01 00:04; 1 alerts; observe 3,
     throttle 2'
    """
    reached = max(state.closed_minute, state.first_minute)
    moment = dt.datetime.fromtimestamp(reached * 60, dt.UTC)
    rungs = ", ".join(f"{r} {state.rungs[r]:,}" for r in RUNGS if state.rungs[r])
    return (
        f"{state.sent:,} of {state.events:,} events sent, processed up to "
        f"{moment:%Y-%m-%d %H:%M}; {state.alerts:,} alerts; {rungs or 'no actions'}"
    )


class PlainScreen:
    """Lines: every alert, the first few actions, and the state every 5 s."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._actions = 0
        self._told_at = time.monotonic()

    def published(self, record: ReceivedRecord) -> None:
        """Print an alert, or an action if it is one of the first."""
        if record.topic != ALERT_TOPIC:
            self._actions += 1
            if self._actions > _ACTIONS_SHOWN:
                return
        self._console.print(record_text(record), soft_wrap=True)
        if self._actions == _ACTIONS_SHOWN and record.topic != ALERT_TOPIC:
            self._console.print("further actions are only counted")

    def state(self, state: State) -> None:
        """Print the state now and then."""
        now = time.monotonic()
        if now - self._told_at >= _PLAIN_INTERVAL:
            self._told_at = now
            self._console.print(state_line(state), soft_wrap=True)


class TerminalScreen:
    """Two bars, the counts, and the newest alerts and actions."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:10}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
        )
        self._sent = self._bars.add_task("sent")
        self._processed = self._bars.add_task("processed")
        self._counts = Text()
        self._lines: deque[Text] = deque(maxlen=_LINES)

    def published(self, record: ReceivedRecord) -> None:
        """Put a record under the others."""
        line = record_text(record)
        line.no_wrap, line.overflow = True, "ellipsis"
        self._lines.append(line)

    def state(self, state: State) -> None:
        """Move the bars."""
        self._bars.update(self._sent, completed=state.sent, total=state.events)
        self._bars.update(
            self._processed,
            completed=max(0, state.closed_minute - state.first_minute + 1),
            total=state.last_minute - state.first_minute,
        )
        self._counts = Text(state_line(state), no_wrap=True, overflow="ellipsis")

    def render(self) -> RenderableType:
        """Draw it."""
        return Group(self._bars, self._counts, *self._lines)
