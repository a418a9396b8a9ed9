"""``distillwatch broker``: the development broker, without containers."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from streams.bus.broker import DevBroker

__all__ = ["app"]

EXIT_DOWN = 3  # what `systemctl status` says of a stopped service

app = App(
    name="broker",
    help="Start, stop and look at a Kafka broker for development on 127.0.0.1.",
)


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class Where:
    """Which broker is meant."""

    port: int = 9092
    """Port for clients; several brokers may run on different ports."""

    controller_port: int | None = None
    """Port of the controller; by default the one after --port."""

    data_dir: Path | None = None
    """Folder of topics and log; by default in the user's cache folder."""


_HERE = Where()
_Wipe = Annotated[bool, Parameter(negative=())]


@app.command
def up(*, where: Where = _HERE, wipe: _Wipe = False) -> None:
    """Start the broker unless it runs, and wait until it answers.

    Parameters
    ----------
    where
        Which broker is meant.
    wipe
        Stop a running one and delete all its topics first.
    """
    from streams.cli.progress import show_progress

    broker = _broker(where)
    with show_progress() as progress:
        broker.up(progress, wipe=wipe)
    print(f"Kafka answers at {broker.bootstrap}")


@app.command
def down(*, where: Where = _HERE, wipe: _Wipe = False) -> None:
    """Stop the broker; its topics stay.

    Parameters
    ----------
    where
        Which broker is meant.
    wipe
        Delete all its topics.
    """
    broker = _broker(where)
    was_running = broker.down(wipe=wipe)
    print(
        f"Kafka at {broker.bootstrap} "
        f"{'is stopped' if was_running else 'was not running'}"
        f"{'; its topics are deleted' if wipe else ''}"
    )


@app.command
def status(*, where: Where = _HERE) -> None:
    """Say whether the broker runs; exit code 0 if it answers, 3 if not."""
    found = _broker(where).status()
    if found.topics is None:
        state = f"starts or hangs (pid {found.pid})" if found.running else "is down"
        print(f"Kafka at {found.bootstrap} {state}")
        sys.exit(EXIT_DOWN)
    print(f"bootstrap  {found.bootstrap}")
    print(f"pid        {found.pid}")
    print(f"topics     {found.topics}")
    print(f"data       {found.home}")


@app.command
def fetch() -> None:
    """Download Kafka's jars and start nothing; `up` does it when they are missing."""
    from streams.bus.kafka_jars import fetch_jars, find_java
    from streams.cli.progress import show_progress

    find_java()
    with show_progress() as progress:
        folder = fetch_jars(progress)
    print(f"Kafka's jars are in {folder}")


def _broker(where: Where) -> DevBroker:
    from streams.bus.broker import DevBroker

    return DevBroker(where.port, where.controller_port, where.data_dir)
