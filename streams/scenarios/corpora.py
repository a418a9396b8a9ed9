"""Prompts by role: from a corpus folder where one is given, else made up.

A corpus file is JSON lines, gzipped: ``role`` and ``text``, and where known
``corpus``, ``system`` and ``turns`` (all turns of the person, the first one is the
text). Roles are read as they come, so that a folder with other corpora of roles
``legit-…`` and ``campaign-…`` works as well.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from streams.errors import CorpusNotFound, ScenarioError
from streams.scenarios import generators
from streams.scenarios.chance import dice

__all__ = ["MAX_CHARS", "REASONING_ROLES", "Corpora", "Prompt"]

MAX_CHARS = 24_576
"""Longer prompts are cut. A sketch's first window is as long; with less, long few-shot
prompts would lose what tells one from the other."""
MAX_PROMPTS = 20_000
"""Prompts kept of one corpus file: bounds memory, far above what is needed."""
GENERATED = 4_000
"""Prompts made up for a role that no corpus has."""
GENERATED_SETS = 6
"""Public test sets made up where no corpus has one."""


REASONING_ROLES = ("campaign-cot-seed", "campaign-cot", "campaign-")
"""What a campaign asks that is after chains of thought, the first choice first:
the first role is taken that there are prompts of."""


class Prompt(NamedTuple):
    """What a person or program sends: never leaves the simulator as text.

    ``turns``: all turns of the person's side of the conversation, ``text`` first.
    """

    text: str
    system: str | None = None
    turns: tuple[str, ...] = ()


class _Line(msgspec.Struct):
    role: str
    text: str
    corpus: str = ""
    system: str | None = None
    turns: tuple[str, ...] | None = None


class Corpora:
    """Pools of prompts by role and, within a role, by the corpus they come from."""

    def __init__(self, pools: dict[str, dict[str, list[Prompt]]], seed: int) -> None:
        self._pools = pools
        self._seed = seed
        self._joined: dict[tuple[str, ...], list[Prompt]] = {}

    @classmethod
    def generated(cls, seed: int) -> Self:
        """No folder: every role is made up by the scenario's own generators."""
        return cls({}, seed)

    @classmethod
    def read(cls, folder: Path, seed: int) -> Self:
        """Read ``*.jsonl.gz`` or ``*.jsonl`` in ``folder/prompts``, or in ``folder``.

        Raises `CorpusNotFound` when there are none, `ScenarioError` with the file and
        line (never its text) when one is malformed.
        """
        files = _files(folder / "prompts") or _files(folder)
        if not files:
            raise CorpusNotFound(
                f"no *.jsonl.gz or *.jsonl in {folder} or {folder / 'prompts'}; leave "
                "--corpus out to use the scenario's own prompts"
            )
        pools: dict[str, dict[str, list[Prompt]]] = {}
        for file in files:
            for line in _lines(file):
                corpus = line.corpus or file.name.partition(".jsonl")[0]
                pool = pools.setdefault(line.role, {}).setdefault(corpus, [])
                if len(pool) < MAX_PROMPTS:
                    pool.append(_prompt(line))
        return cls(pools, seed)

    def sets(self, roles: Sequence[str]) -> list[list[Prompt]]:
        """Prompts of the first role that is there, one list for each corpus.

        A role is taken by its exact name, else all roles that begin with it;
        ``a+b`` joins roles. When none is there, prompts are made up in their manner.
        """
        return [prompts for _, prompts in self.named_sets(roles)]

    def named_sets(self, roles: Sequence[str]) -> list[tuple[str, list[Prompt]]]:
        """Give the same as `sets`, each list with the name of its corpus."""
        for role in roles:
            found = [each for part in role.split("+") for each in self._of(part)]
            if found:
                return found
        return self._make(roles[0])

    def add(self, role: str, corpora: dict[str, list[Prompt]]) -> None:
        """Add a role, or put it in the place of the one of this name."""
        self._pools[role] = corpora
        self._joined.clear()

    def _of(self, role: str) -> list[tuple[str, list[Prompt]]]:
        """Give the pools of one role, by exact name or else by prefix."""
        named = (
            [role]
            if role in self._pools
            else [name for name in sorted(self._pools) if name.startswith(role)]
        )
        return [
            (corpus, self._pools[name][corpus])
            for name in named
            for corpus in sorted(self._pools[name])
        ]

    def pool(self, roles: Sequence[str]) -> list[Prompt]:
        """All prompts of `sets` in one list; at least one."""
        key = tuple(roles)
        if key not in self._joined:
            self._joined[key] = [p for prompts in self.sets(roles) for p in prompts]
        return self._joined[key]

    def _make(self, roles: str) -> list[tuple[str, list[Prompt]]]:
        """Make up as many sets for each joined role as a corpus might have."""
        each = GENERATED // GENERATED_SETS
        for role in roles.split("+"):
            rng = dice(self._seed, role)
            self._pools[role] = {
                f"{role}-{number}": [
                    Prompt(*generators.make(role, rng)) for _ in range(each)
                ]
                for number in range(GENERATED_SETS)
            }
        return self.named_sets([roles])


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.jsonl.gz"), *folder.glob("*.jsonl")])


def _lines(file: Path) -> Iterator[_Line]:
    decoder = msgspec.json.Decoder(_Line)
    number = 0
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as handle:
            for number, line in enumerate(handle, 1):  # noqa: B007 the errors tell it
                if line.strip():
                    yield decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}:{number}: {_reason(error)}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ScenarioError(f"{file}: cannot be read: {error}") from error


def _reason(error: msgspec.DecodeError | UnicodeDecodeError) -> str:
    """Say what is wrong with a line; a UnicodeDecodeError's own text quotes bytes."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return str(error)


def _prompt(line: _Line) -> Prompt:
    return Prompt(
        text=line.text[:MAX_CHARS],
        system=line.system[:MAX_CHARS] if line.system else None,
        turns=tuple(turn[:MAX_CHARS] for turn in line.turns or ()),
    )
