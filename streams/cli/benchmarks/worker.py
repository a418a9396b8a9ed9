"""One worker of the product, without a supervisor, so that it can be measured.

``python -m`` this with the worker's index and ``bound`` or ``free``; settings come from
the environment as they do for ``distillwatch run``.
"""

from __future__ import annotations

import os
import sys

from streams.agents.placed_stage import place_stages
from streams.agents.worker import run_worker
from streams.cli.benchmarks.contestant import bind_to_one_core
from streams.config import Config

__all__ = ["main"]


def main() -> None:
    """Run the worker until it is told to stop."""
    index, where = sys.argv[1:]
    if where == "bound":
        bind_to_one_core()
    run_worker(Config.from_mapping(os.environ), place_stages, int(index), "ERROR")


if __name__ == "__main__":
    main()
