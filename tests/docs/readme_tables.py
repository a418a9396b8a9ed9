"""The tables of README.md, made from the code they describe.

`make docs` runs this file: cog puts each table where README.md calls its function.
With ``--check`` nothing is written; exit code 5 says that a table is out of date.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from cogapp import Cog

from streams.bus.metrics import METRICS
from streams.cli import VERBS, app
from streams.config import settings
from streams.contracts import load_topics
from streams.contracts.schemas import fingerprint, schema
from streams.contracts.topics import Topic
from streams.models.detectors import DETECTOR_NOTES
from streams.policy.conditions import VARIABLES
from streams.policy.policy_file import default_policy
from streams.scenarios.scenario import load, shipped

__all__ = [
    "commands",
    "detectors",
    "ladder",
    "main",
    "metrics",
    "policy_variables",
    "rooms",
    "scenarios",
    "settings_table",
    "topics",
]

ROOT = Path(__file__).parents[2]
_MILLISECONDS_PER_DAY = 86_400_000
_MINUTES_PER_DAY = 1440
_SINGLE_OBJECT = "c3 01"
_COG = ("-I", str(Path(__file__).parent), "-p", "import cog, readme_tables as tables")
_README = str(ROOT / "README.md")


def main(*arguments: str) -> int:
    """Write the tables into README.md, or compare them with ``--check``."""
    mode = ("--check", "--diff") if "--check" in arguments else ("-r",)
    return int(Cog().main(["cog", "--verbosity=1", *mode, *_COG, _README]))


def commands() -> str:
    """Each verb, and each subcommand of one, with the first line of its help."""
    rows = []
    for verb in VERBS:
        loaded = app[verb]
        own = [name for name in loaded if not name.startswith("-")]
        lines = [f"`{name}`: {_first_line(loaded[name].help)}" for name in own]
        rows.append((f"`{verb}`", " ".join(lines) or _first_line(loaded.help)))
    return _table(("`distillwatch` …", "what it does"), rows)


def topics() -> str:
    """Each topic of topics.toml, with the ten bytes before the datum of its records."""
    heads = ("topic", "key", "value", "its first ten bytes", "partitions", "kept")
    rows = [
        (
            f"`{topic.name}`",
            topic.key.removesuffix(", UTF-8, murmur2"),
            *_value(topic.value),
            str(topic.partitions),
            _kept(topic),
            topic.compatibility,
            f"{', '.join(topic.writers)} → {', '.join(topic.readers)}",
        )
        for topic in load_topics().values()
    ]
    return _table((*heads, "compatibility", "writers → readers"), rows)


def _value(name: str | None) -> tuple[str, str]:
    if name is None:
        return "the original bytes", ""
    header = f"`{_SINGLE_OBJECT} {fingerprint(schema(name)).hex(' ')}`"
    return f"[{name}](schemas/{name}.avsc)", header


def _kept(topic: Topic) -> str:
    if topic.retention_ms is None:
        return "compacted"
    return f"{topic.retention_ms // _MILLISECONDS_PER_DAY} d"


def ladder() -> str:
    """Each rung of the default policy, with what an account must show for it."""
    rows = [
        (
            f"`{step.rung}`{', a person confirms' if step.human_review else ''}",
            f"{step.uses}",
            f"{step.e_value:g}",
            f"{step.confirmations}",
            "yes" if step.several_networks else "no",
            f"{step.minutes // _MINUTES_PER_DAY} d",
            ", ".join(f"`{name}={value}`" for name, value in step.parameters.items()),
        )
        for step in default_policy().scenarios[0].ladder
    ]
    heads = ("rung", "own templated exchanges", "own e-value", "looks that confirmed")
    heads = (*heads, "several networks", "lasts", "parameters")
    return _table(heads, rows)


def detectors() -> str:
    """Each detector, with method, source, what fools it, and what it mistakes."""
    rows = [
        (
            f"{note.name}{'' if note.status == 'stable' else ' (experimental)'}",
            f"{note.method} *{note.source}*",
            note.fooled_by,
            note.false_alarms,
        )
        for note in DETECTOR_NOTES
    ]
    heads = ("detector", "method, *source*", "what fools it", "what it mistakes")
    return _table(heads, rows)


def policy_variables() -> str:
    """Each variable that a condition of a policy sees."""
    rows = [
        (f"`{name}`", type_, unit, help_.removesuffix("."))
        for name, type_, unit, help_ in VARIABLES
    ]
    return _table(("variable", "type", "unit or range", "what it is"), rows)


def scenarios() -> str:
    """Each scenario that is shipped, with what is in it."""
    rows = []
    for name in shipped():
        scenario = load(name)
        size = f"{scenario.duration_hours:g} h"
        rows.append((f"`{name}`", size, scenario.description))
    return _table(("scenario", "event time", "what is in it"), rows)


def settings_table() -> str:
    """Each setting of config.py."""
    rows = [
        (
            f"`{setting.environment}`",
            f"`{setting.default}`{f' {setting.unit}' if setting.unit else ''}"
            if setting.default != ""
            else "empty",
            setting.help,
        )
        for setting in settings()
    ]
    return _table(("variable", "default", "what it is"), rows)


def metrics() -> str:
    """Each Prometheus metric of bus/metrics.py."""
    rows = [
        (
            f"`{metric.name}`",
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.help,
        )
        for metric in METRICS
    ]
    return _table(("metric", "kind", "labels", "what it is"), rows)


def rooms() -> str:
    """Each package, in the order in which imports point downwards."""
    layers = _layers()
    lines = []
    for layer in layers:
        names = [name.strip(" ()").removeprefix("streams.") for name in layer]
        lines += [f"{name:<11}{_purpose(name)}" for name in names if _exists(name)]
    return "\n".join(["```text", *lines, "```", ""])


def _layers() -> list[list[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return [layer.split("|") for layer in contracts[0]["layers"]]


def _exists(name: str) -> bool:
    return bool(_source(name))


def _source(name: str) -> list[Path]:
    package = ROOT / "streams" / name
    candidates = (package / "__init__.py", package.with_suffix(".py"))
    return [path for path in candidates if path.is_file()]


def _purpose(name: str) -> str:
    text = _source(name)[0].read_text(encoding="utf-8")
    line = text.removeprefix('"""').splitlines()[0].removesuffix('"""')
    return line.rstrip(".").replace("``", "")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]


def _table(heads: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    lines = [_row(heads), _row("---" for _ in heads), *map(_row, rows)]
    # A blank line, so that Markdown sees where it ends.
    return "\n".join([*lines, "", ""])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
