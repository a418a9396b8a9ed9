"""``distillwatch demo``: a campaign simulated, sent, found and acted on, in a minute.

Everything is real but the traffic: a Kafka broker of its own, the reporter that
gateways install, and the workers as ``distillwatch run`` starts them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

if TYPE_CHECKING:
    from rich.console import Console

    from streams.cli.demo_processes import Workers
    from streams.cli.demo_run import Measures
    from streams.scenarios.scenario import Scenario
    from streams.scenarios.score import Score

__all__ = ["app", "dated_now"]

EXIT_FAILED = 1
_PREFIX = "distillwatch-demo-"
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

app = App(
    name="demo",
    help="Show a campaign that is found and acted on, on a real broker.",
)


@app.default
def demo(
    *,
    scenario: str = "hydra",
    corpus: Path | None = None,
    seed: int | None = None,
    workers: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 2,
    keep: Annotated[bool, Parameter(negative=())] = False,
    port: int | None = None,
) -> None:
    """Simulate a scenario, send it through Kafka and the workers, and score the run.

    Ends with exit code 1 if a campaign was not found, an event was lost or an ordinary
    account was to be suspended. Whatever happens, workers and broker are stopped.

    Parameters
    ----------
    scenario
        A shipped name such as rubric, or a TOML file.
    corpus
        Folder with prompts/*.jsonl.gz and traces/; without it prompts are made up.
    seed
        Replaces the scenario's own seed.
    workers
        Processes that do the work.
    keep
        Leave the broker running, with all topics, and say how to look.
    port
        Port of the broker, which takes the next one, too; by default a free one.
    """
    from rich.console import Console

    from streams.cli.demo_processes import find_port

    console = Console(highlight=False)
    port = find_port() if port is None else port
    with _ending_in_order(), _folder(keep=keep) as folder:
        failures = _Demo(console, folder, port, workers, keep=keep).run(
            scenario, corpus, seed
        )
        if keep:
            _say_how_to_look(console, port, folder)
    for failure in failures:
        console.print(f"[bold red]failed[/]: {failure}", soft_wrap=True)
    if failures:
        sys.exit(EXIT_FAILED)


def dated_now(scenario: Scenario, now: dt.datetime) -> Scenario:
    """Move a scenario to the last midnight after which it fits before ``now``.

    Its actions are then in force when somebody looks at them. Days begin at midnight
    in UTC, as the budget's do, so the hour of the demonstration changes nothing.

    >>> from streams.scenarios.scenario import load
    >>> now = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)
    >>> dated_now(load("calm"), now).start.isoformat()  # it lasts 48 hours
    '2026-11-18T00:00:00+00:00'
    """
    import msgspec

    latest = now - dt.timedelta(hours=scenario.duration_hours)
    midnight = latest.replace(hour=0, minute=0, second=0, microsecond=0)
    return msgspec.structs.replace(scenario, start=midnight)


class _Demo:
    """One demonstration, step by step."""

    def __init__(
        self, console: Console, folder: Path, port: int, workers: int, *, keep: bool
    ) -> None:
        self._console = console
        self._folder = folder
        self._port = port
        self._workers = workers
        self._keep = keep

    def run(self, name: str, corpus: Path | None, seed: int | None) -> list[str]:
        """Take all steps, print the results, return what failed."""
        from streams.bus.topics import apply_topics
        from streams.cli.demo_processes import demo_broker, running_workers
        from streams.cli.demo_report import report, shortcomings

        self._simulate(name, corpus, seed)
        home = self._folder / "kafka"
        log = self._folder / "workers.log"
        with contextlib.ExitStack() as stack:
            with self._step(f"starting Kafka on port {self._port}") as progress:
                broker = demo_broker(self._port, home, progress, keep=self._keep)
                servers = stack.enter_context(broker)
                apply_topics(servers)
            with self._step(f"starting {self._workers} workers"):
                workers = stack.enter_context(
                    running_workers(servers, self._workers, log)
                )
                workers.wait_until_ready(self._workers)
            measures = self._follow(servers, workers)
            with self._step("comparing with the truth"):
                score = self._score()
            if told := workers.complaints():
                self._console.print(
                    f"the workers said:\n{told}", markup=False, soft_wrap=True
                )
            self._stop(stack)
        self._console.print(report(score, measures, self._workers))
        return shortcomings(score, measures)

    @contextlib.contextmanager
    def _step(self, what: str) -> Iterator[Callable[[str, str], None]]:
        """Show a step while it takes place, and how long it took."""
        from streams.cli.progress import show_progress

        began = time.monotonic()
        with show_progress(self._console) as progress:
            progress(f"{what} ...", "")
            yield progress
        self._done(what, began)

    def _done(self, what: str, began: float) -> None:
        self._console.print(f"{time.monotonic() - began:6.1f} s  {what}")

    def _simulate(self, name: str, corpus: Path | None, seed: int | None) -> None:
        from streams.scenarios.scenario import load
        from streams.scenarios.simulate import simulate

        scenario = dated_now(load(name), dt.datetime.now(dt.UTC))
        with self._step(f"simulating {scenario.name}") as progress:
            made = simulate(
                scenario,
                self._folder,
                corpus=corpus,
                seed=seed,
                progress=lambda step, done, total: progress(
                    f"simulating {scenario.name}: {step}", f"{done:,} of {total:,}"
                ),
            )
        self._console.print(
            f"          {made.events:,} events of {made.accounts:,} accounts; "
            f"{made.campaign_exchanges:,} of them by {made.campaign_accounts:,} "
            "accounts of a campaign",
            soft_wrap=True,
        )

    def _follow(self, servers: str, workers: Workers) -> Measures:
        from streams.cli.demo_run import run_events
        from streams.cli.demo_screen import watch
        from streams.scenarios.simulate import EVENTS

        began = time.monotonic()
        folder = self._folder
        with watch(self._console) as screen:
            measures = run_events(folder / EVENTS, servers, workers, screen, folder)
        self._done("sending, finding, acting", began)
        return measures

    def _score(self) -> Score:
        from streams.scenarios.outcomes import Outcome
        from streams.scenarios.score import score

        return score(Outcome.read(self._folder))

    def _stop(self, stack: contextlib.ExitStack) -> None:
        what = "stopping the workers" + ("" if self._keep else " and Kafka")
        with self._step(what):
            stack.close()


@contextlib.contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """Give a folder for everything; it is kept with the broker whose data it holds."""
    if keep:
        yield Path(tempfile.mkdtemp(prefix=_PREFIX))
        return
    # The broker may write a last line while the folder goes.
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as it:
        yield Path(it)


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let the first signal end us through all the clean-up, and others not disturb."""

    def end(number: int, _frame: FrameType | None) -> None:
        for each in _ENDING_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_how_to_look(console: Console, port: int, folder: Path) -> None:
    from streams.bus.kafka_node import HOST

    console.print(
        f"Kafka keeps running. Look:   distillwatch tail --bootstrap {HOST}:{port} "
        f"--from-beginning\n"
        f"Score and events are in      {folder}\n"
        f"Stop it, delete its topics:  distillwatch broker down --port {port} --wipe",
        soft_wrap=True,
    )
