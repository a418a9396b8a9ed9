"""``distillwatch replay``: the same engine over a file, without a broker."""

from __future__ import annotations

import dataclasses
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from streams.cli.progress import event_bar
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.engine.replay import Pipeline

__all__ = ["app"]

_FILES = {
    "llm.actions": "actions.jsonl",
    "llm.alerts": "alerts.jsonl",
    "llm.decisions": "decisions.jsonl",
}

app = App(
    name="replay",
    help="Run the engine over an events.avro, without a broker.",
)


@app.default
def replay(
    events: Path,
    *,
    out: Path,
    mode: Literal["shadow", "enforce"] | None = None,
) -> None:
    """Write actions.jsonl, alerts.jsonl and decisions.jsonl as a live run would.

    Parameters
    ----------
    events
        Object container of RequestEvents, as `distillwatch simulate` writes it.
    out
        Folder for these files; made if it is not there. What a tombstone lifts is told
        in decisions.jsonl, as released or expired.
    mode
        Mode of the actions; by default the setting DISTILLWATCH_MODE, or shadow.
    """
    from streams.config import Config
    from streams.contracts import iter_datums
    from streams.engine.replay import Pipeline
    from streams.engine.replay import replay as run
    from streams.sdk.container_loader import count_events

    if not events.is_file():
        raise ConfigError(f"{events} is not a file; make one: distillwatch simulate")
    config = Config.from_mapping(os.environ)
    config = dataclasses.replace(config, mode=mode or config.mode)
    pipeline = Pipeline(config)
    total = count_events(events)
    out.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(_FILES, 0)
    with ExitStack() as stack:
        files = {
            topic: stack.enter_context((out / name).open("wb"))
            for topic, name in _FILES.items()
        }
        advance = stack.enter_context(event_bar(total))
        for output in run(iter_datums(events), pipeline, progress=advance):
            if output.value is not None:
                files[output.topic].write(_json_line(output.topic, output.value))
                counts[output.topic] += 1
    _report(counts, pipeline, out, config.catalogue)


def _json_line(topic: str, value: bytes) -> bytes:
    import msgspec

    from streams.contracts import decode, load_topics

    return msgspec.json.encode(decode(load_topics()[topic].value or "", value)) + b"\n"


def _report(
    counts: dict[str, int], pipeline: Pipeline, out: Path, catalogue: str
) -> None:
    print(
        f"{counts['llm.alerts']} alerts and {counts['llm.actions']} actions in {out}; "
        f"{len(pipeline.rejected)} events refused"
    )
    if catalogue:
        public, strange = pipeline.catalogued
        print(f"{public} events used templates of {catalogue}")
        if strange:
            print(f"{strange} sketches were made with a key that it was not built with")
    if pipeline.rejected:
        first = pipeline.rejected[0]
        print(f"first refusal: {type(first.error).__name__}: {first.error}")
