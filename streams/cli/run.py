"""``distillwatch run``: the workers that watch the request stream."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

from streams.config import Config

__all__ = ["app"]

app = App(
    name="run",
    help="Watch the request stream: run the workers until Ctrl-C.",
)


@app.default
def run(
    *,
    workers: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    bootstrap: str | None = None,
    app_id: str | None = None,
    mode: Literal["shadow", "enforce"] | None = None,
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING",
) -> None:
    """Run the workers; each prints a line once its partitions are recovered.

    A worker that fails is restarted; it goes on from its last flush.

    Parameters
    ----------
    workers
        Processes; one per core is a good number, more than 8 have nothing to do.
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    app_id
        Consumer group and prefix of the changelog topics.
    mode
        shadow: actions are published but not to be enforced; enforce: they are.
    log_level
        What goes to stderr; Faust itself is never louder than WARNING.
    """
    from streams.agents.changelog_topics import ensure_changelogs
    from streams.agents.placed_stage import place_stages
    from streams.agents.supervisor import Supervisor
    from streams.engine.stages import reference_in_use

    logging.basicConfig(stream=sys.stderr, level=log_level, format="%(message)s")
    config = Config.from_mapping(os.environ)
    config = dataclasses.replace(
        config,
        bootstrap=bootstrap or config.bootstrap,
        app_id=app_id or config.app_id,
        mode=mode or config.mode,
    )
    reference_in_use(config)  # a catalogue that cannot be read is told here, and once
    ensure_changelogs(config, place_stages(config))
    sys.exit(Supervisor(config, workers, place_stages, log_level=log_level).run())
