"""The ``distillwatch`` command, one file a verb; a verb's rooms load when it runs."""

from __future__ import annotations

import os
import sys

from cyclopts import App
from rich.console import Console
from rich.markup import escape

from streams import __version__
from streams.errors import DistillwatchError

__all__ = ["VERBS", "app", "main"]

VERBS: dict[str, str] = {
    "broker": "streams.cli.broker:app",
    "topics": "streams.cli.topics:app",
    "schemas": "streams.cli.schemas:app",
    "run": "streams.cli.run:app",
    "simulate": "streams.cli.simulate:app",
    "replay": "streams.cli.replay:app",
    "score": "streams.cli.score:app",
    "produce": "streams.cli.produce:app",
    "tail": "streams.cli.tail:app",
    "explain": "streams.cli.explain:app",
    "budget": "streams.cli.budget:app",
    "mode": "streams.cli.mode:app",
    "allowlist": "streams.cli.allowlist:app",
    "release": "streams.cli.release:app",
    "label": "streams.cli.label:app",
    "labels": "streams.cli.labels:app",
    "review": "streams.cli.review:app",
    "appeal": "streams.cli.appeal:app",
    "audit": "streams.cli.audit:app",
    "withdraw": "streams.cli.withdraw:app",
    "conformance": "streams.cli.conformance:app",
    "enforcer": "streams.cli.enforcer:app",
    "reconcile": "streams.cli.reconcile:app",
    "heartbeat": "streams.cli.heartbeat:app",
    "bridge": "streams.cli.bridge:app",
    "campaign": "streams.cli.campaign:app",
    "indicators": "streams.cli.indicators:app",
    "policy": "streams.cli.policy:app",
    "reference": "streams.cli.reference:app",
    "catalogue": "streams.cli.catalogue:app",
    "benchmark": "streams.cli.benchmark:app",
    "settings": "streams.cli.settings:app",
    "demo": "streams.cli.demo:app",
}
"""Verb to the import string of its cyclopts app, in the order of ``--help``."""

app = App(
    name="distillwatch",
    help="Find LLM distillation campaigns on Kafka, and act on them.",
    version=__version__,
)
for _place, (_verb, _target) in enumerate(VERBS.items()):
    app.command(_target, name=_verb, sort_key=_place)


def main() -> None:
    """Run the command line; a known error becomes one line and exit code 1."""
    if sys.argv[1:] in ([], ["--help"], ["-h"]):
        for verb in VERBS:
            app[verb]  # cyclopts lists a verb that is not loaded without its help
    try:
        app()
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (DistillwatchError, OSError) as error:
        # A message may hold topic[partition]@offset: brackets are not markup.
        Console(stderr=True).print(
            f"[red]{type(error).__name__}[/]: {escape(str(error))}",
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(1)
