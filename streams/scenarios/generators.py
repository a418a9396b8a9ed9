"""Made-up prompts by role, for scenarios without a corpus folder.

A small grammar: a pattern with ``{slot}`` names is filled from word lists and other
patterns, so that each role has many thousands of distinct prompts. The words are
plain on purpose; nothing here is tuned to look suspicious or harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from streams.scenarios.wordings import LEXICON

__all__ = ["Made", "expand", "make"]

_SLOT = re.compile(r"\{(\w+)\}")
_MAX_DEPTH = 8
TURNS_SHARE = 0.4
"""Share of the conversations that have a second turn."""


class Made(NamedTuple):
    """A made-up prompt, in the manner of a line of a corpus."""

    text: str
    system: str | None = None
    turns: tuple[str, ...] = ()


def expand(pattern: str, rng: Random, depth: int = 0) -> str:
    """Fill the slots of a pattern at random; ``{n}`` is a number from 2 to 999.

    >>> expand("Name {n} towns.", Random(1))
    'Name 139 towns.'
    """

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        if slot == "n":
            return str(rng.randrange(2, 1000))
        if slot == "small":
            return str(rng.randrange(2, 13))
        choice = rng.choice(LEXICON[slot])
        return expand(choice, rng, depth + 1) if depth < _MAX_DEPTH else choice

    return _SLOT.sub(fill, pattern)


def _interactive(rng: Random) -> Made:
    text = expand("{ask}", rng)
    if rng.random() > TURNS_SHARE:
        return Made(text)
    more = [expand("{follow_up}", rng) for _ in range(rng.randrange(1, 4))]
    return Made(text, turns=(text, *more))


def _bulk(rng: Random) -> Made:
    return Made(expand("{bulk_item}", rng))


def _bulk_tools(rng: Random) -> Made:
    return Made(expand("{errand}", rng), system=expand("{toolbox}", rng))


def _rubric(rng: Random) -> Made:
    return Made(expand("{exercise}", rng))


def _reasoning(rng: Random) -> Made:
    return Made(expand("{problem}", rng))


def _tools(rng: Random) -> Made:
    return Made(expand("{errand}", rng))


def _coding(rng: Random) -> Made:
    return Made(expand("{program}", rng))


def _instructions(rng: Random) -> Made:
    return Made(expand("{scene}", rng))


_BY_PREFIX: tuple[tuple[str, Callable[[Random], Made]], ...] = (
    ("legit-bulk-tool", _bulk_tools),
    ("legit-bulk", _bulk),
    ("legit", _interactive),
    ("campaign-rubric", _rubric),
    ("campaign-cot", _reasoning),
    ("campaign-reasoning", _reasoning),
    ("campaign-tool", _tools),
    ("campaign-cod", _coding),
    ("campaign-instruction", _instructions),
)


def make(role: str, rng: Random) -> Made:
    """Make up one prompt in the manner of a role; an unknown role asks questions.

    >>> make("campaign-cot", Random(1)) == make("campaign-cot", Random(1))
    True
    """
    for prefix, maker in _BY_PREFIX:
        if role.startswith(prefix):
            return maker(rng)
    return _interactive(rng)
