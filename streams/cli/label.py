"""``distillwatch label``: say what a subject is, for the detector to learn from."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_WRITING,
    Writing,
    command,
    now_ms,
    write_entries,
)
from streams.errors import ConfigError, InvalidRecord

if TYPE_CHECKING:
    from streams.contracts import ControlEntry
    from streams.policy.control_entries import Label

__all__ = ["app", "read_labels"]

_Flag = Annotated[bool, Parameter(negative=())]
_COLUMNS: Final = ("subject", "label", "why")
_MEANING: Final = {
    "benign": "what stands against it is released, and what learns from labels takes "
    "it for ordinary",
    "distillation": "what learns from labels takes it for extraction; nothing is done "
    "to it because of the label alone",
}

app = App(name="label", help="Say what a subject is: benign, or distillation.")


@app.default
def label(
    subject: str | None = None,
    *,
    benign: _Flag = False,
    distillation: _Flag = False,
    why: str | None = None,
    file: Path | None = None,
    how: Writing = DEFAULT_WRITING,
) -> None:
    """Label a subject, or many from a file; your newer label replaces your older one.

    Parameters
    ----------
    subject
        account:ID, organization:ID, facet:KIND:ID or campaign:ID.
    benign
        It is an ordinary customer; this releases it, too.
    distillation
        It harvests outputs.
    why
        The reason, for who reads it later.
    file
        A CSV file with the columns subject, label and why, instead of one subject.
        Nothing is written unless every line is good.
    """
    if file is not None:
        if subject or benign or distillation or why:
            raise ConfigError("--file stands alone: its lines say subject, label, why")
        _write_file(file, how)
        return
    if subject is None or benign == distillation or why is None:
        raise ConfigError(
            "a label is: label SUBJECT --benign|--distillation --why TEXT, or: label "
            "--file labels.csv"
        )
    from streams.policy.control_entries import label_entry

    said: Label = "benign" if benign else "distillation"
    entry = label_entry(subject, said, author=how.who, reason=why, created_at=now_ms())
    told = (
        f"{subject} is labelled {said}: {_MEANING[said]}. "
        f"Undo: {command('withdraw', entry.entry_id)}"
    )
    write_entries([entry], told, how=how)


def read_labels(path: Path, *, author: str, created_at: int) -> list[ControlEntry]:
    """Read a CSV file of labels; an error names the file and the line."""
    from streams.policy.control_entries import label_entry

    entries: dict[str, tuple[int, ControlEntry]] = {}
    for line, row in _rows(path):
        try:
            entry = label_entry(
                row["subject"],
                cast("Label", row["label"]),  # refused there if it is none
                author=author,
                reason=row["why"],
                created_at=created_at,
            )
        except InvalidRecord as error:
            raise InvalidRecord(f"{path}, line {line}: {error}") from None
        if entry.entry_id in entries:
            first, _ = entries[entry.entry_id]
            raise InvalidRecord(
                f"{path}, line {line}: {entry.subject} is labelled in line {first} "
                "already"
            )
        entries[entry.entry_id] = line, entry
    return [entry for _, entry in entries.values()]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise InvalidRecord(
                    f"{path}, line 1: the columns are not {','.join(_COLUMNS)}"
                )
            for row in reader:
                if None in row or None in row.values():
                    raise InvalidRecord(
                        f"{path}, line {reader.line_num}: not {len(_COLUMNS)} columns; "
                        "text with a comma needs quotes"
                    )
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRecord(f"{path}: not a CSV file in UTF-8 ({error})") from None


def _write_file(path: Path, how: Writing) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    if not path.is_file():
        raise ConfigError(f"{path} is not a file")
    entries = read_labels(path, author=how.who, created_at=now_ms())
    benign = sum(each.value == "benign" for each in entries)
    harmful = len(entries) - benign
    told = (
        f"{len(entries):,} labels: {benign:,} benign, which releases those subjects, "
        f"and {harmful:,} distillation, which alone does nothing to them. "
        f"Undo each: {command('withdraw', f'label:SUBJECT:{how.who}')}"
    )
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(path.name, total=len(entries))
        write_entries(
            entries,
            told,
            how=how,
            on_acknowledged=lambda count: bar.advance(task, count),
        )
