"""One contestant in a process of its own: ``python -m`` this, a task on stdin.

The result is the last line of stdout. The process is bound to one core where the
system can do that, so that a library's threads do not count as speed.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import PathFinder
from typing import Final, NamedTuple

import msgspec

from streams.cli.benchmarks.measured import Task, report

__all__ = ["CONTESTANTS", "Contestant", "bind_to_one_core", "missing"]


class Contestant(NamedTuple):
    """Where a contestant lives, what it must find installed, and who it is.

    ``limit`` is the number of events it gets at most; the slow ones get fewer.
    """

    target: str
    needs: str
    title: str


_HERE: Final = "streams.cli.benchmarks"
CONTESTANTS: Final = {
    "engine": Contestant(
        f"{_HERE}.engine_contestants:engine", "", "engine, decoded chunks"
    ),
    "decode_engine": Contestant(
        f"{_HERE}.engine_contestants:decode_engine", "", "decode and engine"
    ),
    "faust_noop": Contestant(
        f"{_HERE}.faust_contestants:faust_noop", "faust", "Faust, nothing"
    ),
    "faust_engine": Contestant(
        f"{_HERE}.faust_contestants:faust_engine", "faust", "Faust, this engine"
    ),
    "quix_noop": Contestant(
        f"{_HERE}.quix_contestants:quix_noop", "quixstreams", "Quix, nothing"
    ),
    "quix_counter": Contestant(
        f"{_HERE}.quix_contestants:quix_counter", "quixstreams", "Quix, one counter"
    ),
    "quix_engine": Contestant(
        f"{_HERE}.quix_contestants:quix_engine", "quixstreams", "Quix, this engine"
    ),
    "confluent_fastavro": Contestant(
        f"{_HERE}.confluent_contestant:confluent_fastavro",
        "",
        "confluent-kafka, fastavro",
    ),
}


def missing(name: str) -> bool:
    """Whether what a contestant needs is not installed."""
    needs = CONTESTANTS[name].needs
    # Not find_spec of importlib.util: an imported Faust has no __spec__ to find.
    return bool(needs) and PathFinder.find_spec(needs) is None


def bind_to_one_core() -> None:
    """Bind this process, and the threads to come, to the last core it may use."""
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main() -> None:
    """Run the contestant that the task names; print what it measured."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    bind_to_one_core()
    module, name = CONTESTANTS[task.contestant].target.split(":")
    report(getattr(importlib.import_module(module), name)(task))


if __name__ == "__main__":
    main()
