"""Prompt templates: a campaign's wordings, a bulk user's own job, an app's prompt.

A template is put together at random from sentences of its shape, so that two
campaigns (or two honest customers) with other seeds do not share a wording.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from streams.scenarios.corpora import MAX_CHARS, Prompt
from streams.scenarios.generators import expand
from streams.scenarios.wordings import WORDINGS

__all__ = [
    "Template",
    "TemplateSet",
    "Wrap",
    "compose",
    "interactive",
    "reword",
    "templates",
]

Wrap = Literal["prefix", "suffix", "both", "system"]
VERBATIM_SHARE = 0.12
"""Share of ordinary questions sent exactly as many others send them."""
POPULAR = 2.0
"""Skew of verbatim questions to the popular ones: index = size * u**POPULAR."""
CLOSER_SHARE = 0.5
REWORDED = 0.15
"""Share of the words of a question that a person puts in another way."""
SPACED = 20
"""A text with fewer than one space in so many characters has no words to split."""


class Template(NamedTuple):
    r"""A wording around a filling.

    >>> Template("Sum up:", "", None).fill(Prompt("Rain."), Random(1)).text
    'Sum up:\n\nRain.'
    """

    prefix: str
    suffix: str
    system: str | None
    word_drop: float = 0.0
    random_prefix: float = 0.0

    def fill(self, filling: Prompt, rng: Random) -> Prompt:
        """Wrap a filling; word drop and random prefix are drawn anew each time."""
        parts = [
            _drop(self.prefix, self.word_drop, rng),
            filling.text,
            _drop(self.suffix, self.word_drop, rng),
        ]
        if self.random_prefix and rng.random() < self.random_prefix:
            parts.insert(0, expand("{opener}", rng))
        text = "\n\n".join(part for part in parts if part)
        return Prompt(
            text=text[:MAX_CHARS],
            system=self.system if self.system is not None else filling.system,
        )


class TemplateSet(NamedTuple):
    """Wordings of one program, any of which is put around a filling."""

    among: tuple[Template, ...]

    @property
    def system(self) -> str | None:
        """The system prompt of the first one."""
        return self.among[0].system

    def fill(self, filling: Prompt, rng: Random) -> Prompt:
        """Wrap a filling with one of them."""
        return rng.choice(self.among).fill(filling, rng)


def _drop(text: str, share: float, rng: Random) -> str:
    if not share or not text:
        return text
    return " ".join(word for word in text.split(" ") if rng.random() >= share)


def templates(
    shape: str,
    count: int,
    wraps: Sequence[Wrap],
    rng: Random,
    *,
    word_drop: float = 0.0,
    random_prefix: float = 0.0,
) -> list[Template]:
    """Make ``count`` templates of a shape, placed by each of ``wraps`` in turn."""
    made = []
    for number in range(count):
        wrap = wraps[number % len(wraps)]
        sentences = _sentences(shape, rng)
        half = max(1, len(sentences) // 2)
        before, after, system = "", "", None
        if wrap == "system":
            system = " ".join(sentences)
        elif wrap == "prefix":
            before = "\n".join(sentences)
        elif wrap == "suffix":
            after = "\n".join(sentences)
        else:
            before, after = "\n".join(sentences[:half]), "\n".join(sentences[half:])
        made.append(Template(before, after, system, word_drop, random_prefix))
    return made


def _sentences(shape: str, rng: Random) -> list[str]:
    """One sentence of each part of a shape, in order, slots filled."""
    return [expand(rng.choice(part), rng) for part in WORDINGS[shape]]


def compose(shape: str, filling: Prompt, other: Prompt) -> Prompt:
    """Join a filling with a second text where the shape needs two.

    A rubric grades an answer to an instruction; other shapes send the filling alone.
    """
    if shape != "rubric":
        return filling
    text = (
        f"###Instruction:\n{filling.text[: MAX_CHARS // 2]}\n\n"
        f"###Answer to grade:\n{other.text[: MAX_CHARS // 4]}"
    )
    return Prompt(text)


def interactive(pool: Sequence[Prompt], rng: Random) -> Prompt:
    """Draw a person's first question.

    A small share are popular questions, word for word. The others get the person's own
    circumstances around them and some words of their own inside: people seldom send
    the same words, and a pool of thousands must not look like templates of many.
    """
    if rng.random() < VERBATIM_SHARE:
        return pool[int(len(pool) * rng.random() ** POPULAR)]
    base = rng.choice(pool)
    text = f"{expand('{opener}', rng)} {reword(base.text, rng)}"
    if rng.random() < CLOSER_SHARE:
        text = f"{text} {expand('{closer}', rng)}"
    return base._replace(text=text[:MAX_CHARS], turns=(text, *base.turns[1:]))


def reword(text: str, rng: Random) -> str:
    """Replace some words (of a script without spaces: letters) by others."""
    gap = " " if text.count(" ") * SPACED > len(text) else ""
    words = text.split(" ") if gap else list(text)
    slots = ("{thing}", "{quality}", "{verb}", "{name}", "{place}", "", "")
    for at in range(len(words)):
        if rng.random() < REWORDED:
            words[at] = expand(rng.choice(slots), rng)
    return gap.join(words)
