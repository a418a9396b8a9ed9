"""``distillwatch catalogue``: public prompt templates that link nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.sketch.catalogue import Catalogue
    from streams.sketch.catalogue_builder import Template

__all__ = ["app"]

_FEWEST_KEY_BYTES = 16
_LISTED = 20
_Flag = Annotated[bool, Parameter(negative=())]
_KeyFiles = Annotated[list[str], Parameter(name="--key-file", negative=())]
_Names = Annotated[tuple[str, ...], Parameter(negative=())]

app = App(name="catalogue", help="Public prompt templates that link nobody.")


@app.command
def build(
    *files: Path,
    out: Path,
    key_file: _KeyFiles,
    without: _Names = (),
    only_files: _Flag = False,
) -> None:
    """Sketch templates with the deployment's keys, and write a catalogue.

    Parameters
    ----------
    files
        Templates of your own, beside those that ship with distillwatch: TOML files of
        tables [[template]], or files of one text each; {{name}} is a placeholder.
    out
        File to write; workers read it by the setting DISTILLWATCH_CATALOGUE.
    key_file
        KEY_ID=FILE: the id of a sketch key, and a file with the key in hexadecimal, as
        the gateways have them. Give it once for each key that events still carry.
    without
        Template to leave out, by name; more than once for more.
    only_files
        Leave out all that ship with distillwatch.
    """
    from rich.console import Console
    from rich.progress import track

    from streams.sketch.catalogue_builder import build_catalogue

    # Before the work, not after it.
    if not out.parent.is_dir():
        raise ConfigError(f"{out.parent} is not a folder; make it first")
    keys = [_read_key(each) for each in key_file]
    templates = _templates(files, without, public=not only_files)
    shown = track(templates, "sketching", transient=True, console=Console(stderr=True))
    catalogue = build_catalogue(templates, keys, shown)
    out.write_bytes(catalogue.encode())
    bare = [entry.name for entry in catalogue.entries if not entry.keys]
    print(
        f"{out}: {len(catalogue.entries)} templates, "
        f"{len(catalogue.index.keys)} keys, version {catalogue.digest}"
    )
    if bare:
        print(f"too short to keep a key, so they link nobody anyway: {', '.join(bare)}")


@app.command
def show(catalogue: Path | None = None, *, text: str | None = None) -> None:
    """List the templates of a catalogue, or those that ship with distillwatch.

    Parameters
    ----------
    catalogue
        File that `build` wrote.
    text
        Print the text of the shipped template of this name instead.
    """
    from rich.console import Console
    from rich.table import Table

    from streams.sketch.catalogue import load_catalogue
    from streams.sketch.catalogue_builder import public_templates

    if text is not None:
        _print_text(text)
        return
    table = Table()
    if catalogue is None:
        for heading in ("template", "licence", "source"):
            table.add_column(heading)
        for template in public_templates():
            table.add_row(template.name, template.licence, template.source)
    else:
        for heading in ("template", "keys", "licence", "source"):
            table.add_column(heading)
        loaded = load_catalogue(str(catalogue))
        for entry in loaded.entries:
            kinds = ", ".join(f"{len(k)} {kind}" for kind, k in entry.keys.items())
            table.add_row(entry.name, kinds or "none", entry.licence, entry.source)
        _print_keys(loaded)
    Console().print(table)


@app.command
def check(
    catalogue: Path,
    *,
    key_file: Annotated[list[str] | None, Parameter(name="--key-file")] = None,
    events: Path | None = None,
) -> None:
    """Say whether a catalogue fits keys or events; exit code 1 if it does not.

    An event's sketch carries one byte that follows from the key's id, not the key
    itself: from events alone a wrong key under the right id shows only in that nothing
    is ever found. With the key, or a sketcher's `fingerprint`, it is certain.

    Parameters
    ----------
    catalogue
        File that `build` wrote.
    key_file
        KEY_ID=FILE of a sketch key that it must have been built with.
    events
        Object container of RequestEvents to look the templates up in.
    """
    from streams.sketch.catalogue import load_catalogue

    loaded = load_catalogue(str(catalogue))
    _print_keys(loaded)
    wrong = [each for each in map(_read_key, key_file or ()) if not _has(loaded, each)]
    for key_id, _ in wrong:
        print(f"not built with this key of id {key_id}: build the catalogue anew")
    fits = events is None or _look_up(loaded, events)
    if wrong or not fits:
        raise SystemExit(1)


def _read_key(text: str) -> tuple[str, bytes]:
    key_id, equals, path = text.partition("=")
    if not equals or not key_id or not path:
        raise ConfigError(f"--key-file {text}: write KEY_ID=FILE")
    try:
        key = bytes.fromhex(Path(path).read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} is not a file with a sketch key in hexadecimal; make one: "
            f"openssl rand -hex 32"
        ) from error
    if len(key) < _FEWEST_KEY_BYTES:
        raise ConfigError(f"{path}: the key has {len(key)} bytes; use 32 random ones")
    return key_id, key


def _templates(
    paths: Sequence[Path], without: Sequence[str], *, public: bool
) -> list[Template]:
    from streams.sketch.catalogue_builder import public_templates, read_templates

    named: dict[str, Template] = {}
    groups = [("public_templates.toml", public_templates())] if public else []
    groups += [(str(path), read_templates(path)) for path in paths]
    for place, templates in groups:
        for template in templates:
            if template.name in named:
                raise ConfigError(
                    f"{place}: {template.name} is another template's name"
                )
            named[template.name] = template
    for name in without:
        if named.pop(name, None) is None:
            raise ConfigError(f"--without {name}: no template is called that")
    return list(named.values())


def _print_text(name: str) -> None:
    from streams.sketch.catalogue_builder import public_templates

    found = [each for each in public_templates() if each.name == name]
    if not found:
        raise ConfigError(f"--text {name}: no shipped template is called that")
    if found[0].system:
        print(f"system: {found[0].system.strip()}")
    if found[0].prompt:
        print(found[0].prompt.strip())


def _print_keys(catalogue: Catalogue) -> None:
    for key in catalogue.keys:
        print(f"key {key.key_id} (byte {key.epoch:02x}), fingerprint {key.fingerprint}")


def _has(catalogue: Catalogue, key: tuple[str, bytes]) -> bool:
    from streams.sketch.keyed import key_fingerprint

    known = {(each.key_id, each.fingerprint) for each in catalogue.keys}
    return (key[0], key_fingerprint(key[1])) in known


def _look_up(catalogue: Catalogue, events: Path) -> bool:
    """Count events by template; whether all keys that made their sketches are known."""
    from rich.console import Console
    from rich.table import Table

    from streams.engine.catalogue_use import catalogue_use

    if not events.is_file():
        raise ConfigError(f"{events} is not a file")
    use = catalogue_use(catalogue, events)
    table = Table(title=f"{use.covered:,} of {use.sketched:,} sketches are covered")
    table.add_column("template")
    table.add_column("events", justify="right")
    for name, count in use.by_template[:_LISTED]:
        table.add_row(name, f"{count:,}")
    Console().print(table)
    for epoch, count in use.strangers:
        print(f"{count:,} sketches have key byte {epoch:02x}: no key of the catalogue")
    if use.sketched and not use.covered:
        print("nothing is covered: was it built with the gateways' key?")
    return not use.strangers
