"""``distillwatch tail``: follow alerts and actions as they are published."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.bus.records_consumer import ReceivedRecord

__all__ = ["app"]

ALERTS = "llm.alerts"
ACTIONS = "llm.actions"

_Flag = Annotated[bool, Parameter(negative=())]
_Positive = validators.Number(gt=0)

app = App(name="tail", help="Follow alerts and actions live in the terminal.")


@app.default
def tail(
    *,
    bootstrap: str | None = None,
    json: _Flag = False,
    from_beginning: _Flag = False,
    alerts: _Flag = False,
    actions: _Flag = False,
    until_idle: Annotated[float | None, Parameter(validator=_Positive)] = None,
    max_records: Annotated[
        int | None, Parameter(name=["--max", "-n"], validator=_Positive)
    ] = None,
) -> None:
    """Print each alert and action as it is published; Ctrl-C ends it.

    Parameters
    ----------
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    json
        One JSON object a line, with the names of the schema and `topic`.
    from_beginning
        Start with the oldest record that the broker still has.
    alerts
        Alerts only.
    actions
        Actions only.
    until_idle
        End when nothing came for so many seconds.
    max_records
        End after so many records.
    """
    from streams.bus.records_consumer import RecordsConsumer
    from streams.cli.record_lines import json_line, text_printer
    from streams.config import Config

    topics = [ALERTS] if alerts and not actions else [ALERTS, ACTIONS]
    if actions and not alerts:
        topics = [ACTIONS]
    servers = bootstrap or Config.from_mapping(os.environ).bootstrap
    show = _print_line(json_line) if json else text_printer()
    with (
        _quiet_on_broken_pipe(),
        RecordsConsumer(servers, topics, from_beginning=from_beginning) as consumer,
    ):
        for count, record in enumerate(consumer.records(until_idle=until_idle), 1):
            show(record)
            if count == max_records:
                return


def _print_line(
    line: Callable[[ReceivedRecord], str],
) -> Callable[[ReceivedRecord], None]:
    return lambda record: print(line(record), flush=True)


@contextlib.contextmanager
def _quiet_on_broken_pipe() -> Iterator[None]:
    """End without a word when the reader of our output is gone (``| head``)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at its end, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
