"""What ordinary accounts send, by behaviour: rows of the prompt table, in order."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.corpora import MAX_CHARS, Prompt
from streams.scenarios.generators import expand
from streams.scenarios.prompt_table import PromptTable
from streams.scenarios.templates import (
    Template,
    TemplateSet,
    Wrap,
    interactive,
    reword,
    templates,
)

__all__ = ["Kit", "agentic", "chats", "classroom", "filled", "kit", "test_set"]

Ints = NDArray[np.int64]
_RESULT = "[{quality} {thing}, {verb}] {tool} {argument}:"
"""How the results of one program's tools begin; filled once a program."""
_SHOTS = 5
"""Worked examples at the head of a test set's prompts."""
_SHOT_CHARS = 409
"""Of each example: a harness cuts long ones."""


class Kit(NamedTuple):
    """A program's own template or templates, documents and tools."""

    template: Template | TemplateSet
    documents: Sequence[Prompt]
    tools: str | None
    tool_count: int
    result: str


def kit(
    shape: str, sets: Sequence[Sequence[Prompt]], rng: Random, count: int = 1
) -> Kit:
    """Make up a program: wordings and tools of its own, documents of one corpus."""
    wraps: tuple[Wrap, ...] = ("prefix", "both", "system")
    wrap = rng.choice(wraps) if shape == "bulk" else "system"
    made = templates(shape, count, (wrap,), rng)
    template = made[0] if count == 1 else TemplateSet(tuple(made))
    tools = expand("{toolbox}", rng) if shape == "agent" else None
    count = tools.count('"name"') if tools else 0
    return Kit(template, rng.choice(sets), tools, count, expand(_RESULT, rng))


def chats(
    table: PromptTable,
    pool: Sequence[Prompt],
    sessions: Ints,
    rng: Random,
    template: Template | TemplateSet | None = None,
) -> Ints:
    """Hold conversations: ``sessions`` is each request's conversation.

    The first request of one is a question, the next are its further turns or made-up
    follow-ups. ``template`` is what an app puts around each.
    """
    rows = np.empty(len(sessions), dtype=np.int64)
    open_chats: dict[int, tuple[Prompt, int]] = {}
    for position, session in enumerate(sessions.tolist()):
        base, turn = open_chats.get(session, (None, 0))
        if base is None:
            base = interactive(pool, rng)
            said = base
        elif turn < len(base.turns):
            said = Prompt(reword(base.turns[turn], rng), base.system)
        else:
            said = Prompt(expand("{follow_up}", rng), base.system)
        open_chats[session] = (base, turn + 1)
        if template is not None:
            said = template.fill(said, rng)
        rows[position] = table.add(said, turns=turn)
    return rows


def filled(table: PromptTable, own: Kit, n: int, rng: Random) -> Ints:
    """Run a batch job: the program's template around its documents, in random order."""
    return np.array(
        [
            table.add(own.template.fill(rng.choice(own.documents), rng))
            for _ in range(n)
        ],
        dtype=np.int64,
    )


def agentic(table: PromptTable, own: Kit, sessions: Ints, rng: Random) -> Ints:
    """Run agent sessions: a task, then what the tools gave back, turn after turn."""
    rows = np.empty(len(sessions), dtype=np.int64)
    turns: dict[int, int] = {}
    for position, session in enumerate(sessions.tolist()):
        turn = turns.get(session, 0)
        turns[session] = turn + 1
        if turn == 0:
            said = own.template.fill(rng.choice(own.documents), rng)
        else:
            result = f"{own.result} {expand('{bulk_item} {bulk_item}', rng)}"
            said = Prompt(result, own.template.system)
        rows[position] = table.add(said, turns=turn, tools=own.tools)
    return rows


def test_set(
    table: PromptTable, items: Sequence[Prompt], count: int, rng: Random
) -> Ints:
    """Make one public test set: the same worked examples before each item."""
    chosen = [items[rng.randrange(len(items))] for _ in range(_SHOTS)]
    shots = "\n\n".join(shot.text[:_SHOT_CHARS] for shot in chosen)
    head = f"{templates('harness', 1, ('prefix',), rng)[0].prefix}\n\n{shots}"
    return np.array(
        [
            table.add(item._replace(text=f"{head}\n\nQ: {item.text}\nA:"[:MAX_CHARS]))
            for item in items[:count]
        ],
        dtype=np.int64,
    )


def classroom(table: PromptTable, task: str, sessions: Ints, rng: Random) -> Ints:
    """Let pupils ask about one task: word for word, in own words, then follow-ups."""
    rows = np.empty(len(sessions), dtype=np.int64)
    seen: set[int] = set()
    for position, session in enumerate(sessions.tolist()):
        if session in seen:
            text = expand("{follow_up}", rng)
        elif rng.random() < 1 / 3:
            text = task
        else:
            text = f"{expand('{opener}', rng)} {task} {expand('{closer}', rng)}"
        rows[position] = table.add(Prompt(text), turns=int(session in seen))
        seen.add(session)
    return rows
