"""Marker bits: what a prompt asks for and looks like, in 32 bits.

Two sources, and no battery of regular expressions: words and phrases of
`streams.sketch.lexicon`, found by set operations on the tokens that are cut anyway (a
phrase is looked for only where its rarest word occurs), and plain substring checks for
layout. Markers explain and route; they are no evidence of guilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.sketch.lexicon import FOREIGN_WORDS, LEXICON
from streams.sketch.text import LINE_BREAK, tokenise

__all__ = ["MARKERS", "marker_bits", "marker_names"]

# Bit i is MARKERS[i]. Append only: a name keeps its bit for good.
MARKERS: tuple[str, ...] = (
    "step_by_step",
    "rubric_or_score_scale",
    "grade_or_judge",
    "output_format_demand",
    "code_fence",
    "imperative_generation",
    "instruction_generation",
    "role_play",
    "tool_schema",
    "latex",
    "question",
    "numbered_list",
    "reference_answer",
    "few_shot",
    "translation",
    "summarise",
    "reasoning_trace_request",
    "rewrite_request",
    "code_request",
    "math_words",
    "politeness",
    "first_person",
    "second_person",
    "chat_greeting",
    "multiple_choice",
    "comparison",
    "xml_tags",
    "json_braces",
    "section_header",
    "long_context",
    "non_english",
    "self_reference_to_model",
)

_BIT = {name: 1 << index for index, name in enumerate(MARKERS)}
_LONG_CONTEXT = 8_000  # characters: past what people type by hand
_FOREIGN_ENOUGH = 3  # different words
_FOREIGN_LETTERS = 6  # non-ASCII in so many characters at least one: another script
_LATEX = (
    "\\frac", "\\[", "\\(", "\\begin{", "\\sqrt", "\\text", "\\left", "\\boxed",
    "\\cdot", "\\sum", "\\le", "\\ge", "\\times", "\\angle", "\\pi", "\\int",
)  # fmt: skip
# Layout: (marker, a character that must occur, then any of these). The character is
# a cheap gate: most prompts have no backslash, no brace, no hash sign.
_LAYOUT: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("code_fence", "`", ("```",)),
    ("question", "?", ("?",)),
    ("xml_tags", "<", ("</",)),
    ("section_header", "<", ("<|",)),
    ("section_header", "#", ("###", "\n# ", "\n## ")),
    ("section_header", "[", ("[inst]",)),
    ("json_braces", '"', ('{"', '":')),
    ("tool_schema", '"', ('"parameters"', '"function"', '"input_schema"')),
    ("latex", "\\", _LATEX),
    ("latex", "$", ("$$", "$.", "$,", "$ is ", "$ and ", "$ be ", "$?")),
    ("numbered_list", "2", ("\n2.", "\n2)", "\n(2)", "\n2、")),
    ("code_request", "(", ("def ", "\n    return ")),
    ("code_request", "#", ("#include",)),
    ("multiple_choice", "(", ("(b)",)),
    ("multiple_choice", "\n", ("\nb)", "\nb.", "\n- b\n")),
)
# Two of one of these make a prompt few-shot: (word among the tokens, as it is set).
_SHOTS = (
    ("q", "q:"), ("question", "question:"), ("input", "input:"), ("user", "user:"),
    ("problem", "problem:"), ("问", "问:"), ("题", "问题:"), ("вопрос", "вопрос:"),
    ("pregunta", "pregunta:"), ("example", "example "),
)  # fmt: skip


def _spaced(tokens: Sequence[str]) -> str:
    return f" {' '.join(tokens)} "


class _Phrase(NamedTuple):
    spaced: str
    words: frozenset[str]
    bit: int


def _tables() -> tuple[dict[str, int], dict[str, tuple[_Phrase, ...]]]:
    """Split the lexicon: bits by word, and phrases by the word that triggers them."""
    words: dict[str, int] = {}
    phrases: dict[str, list[_Phrase]] = {}
    for name, entries in LEXICON.items():
        for entry in entries.split("|"):
            tokens = tokenise(entry)
            if len(tokens) == 1:
                words[tokens[0]] = words.get(tokens[0], 0) | _BIT[name]
            else:
                # The longest token stands for the rarest.
                phrase = _Phrase(_spaced(tokens), frozenset(tokens), _BIT[name])
                phrases.setdefault(max(tokens, key=len), []).append(phrase)
    return words, {word: tuple(found) for word, found in phrases.items()}


_WORDS, _PHRASES = _tables()
_TRIGGERS = frozenset(_PHRASES)
_KNOWN = frozenset(_WORDS) | _TRIGGERS
_GATED = tuple(
    (gate, tuple((_BIT[name], found) for name, g, found in _LAYOUT if g == gate))
    for gate in dict.fromkeys(gate for _, gate, _ in _LAYOUT)
)


def marker_bits(
    folded: str,
    tokens: Sequence[str],
    distinct: frozenset[str],
    *,
    characters: int,
    non_ascii: int,
) -> int:
    """Find the marker bits of a prompt's window.

    ``tokens`` are those of ``folded``, ``distinct`` the set of them; ``characters`` is
    the whole prompt's length and ``non_ascii`` how many of the window's are not ASCII.

    >>> text = "rate the essay from 1 to 5"
    >>> tokens = tokenise(text)
    >>> bits = marker_bits(text, tokens, frozenset(tokens), characters=26, non_ascii=0)
    >>> sorted(marker_names(bits))
    ['grade_or_judge', 'rubric_or_score_scale']
    """
    bits = _lexical(tokens, distinct) | _layout(folded, distinct)
    if characters >= _LONG_CONTEXT:
        bits |= _BIT["long_context"]
    if (
        non_ascii * _FOREIGN_LETTERS > len(folded)
        or len(FOREIGN_WORDS & distinct) >= _FOREIGN_ENOUGH
    ):
        bits |= _BIT["non_english"]
    return bits


def _lexical(tokens: Sequence[str], distinct: frozenset[str]) -> int:
    bits = 0
    joined = ""
    known = _KNOWN & distinct
    for word in known:
        bits |= _WORDS.get(word, 0)
    for word in known & _TRIGGERS:
        for spaced, words, bit in _PHRASES[word]:
            if not bits & bit and words <= distinct:
                if not joined:
                    joined = _spaced(tokens).replace(f" {LINE_BREAK} ", " ")
                if spaced in joined:
                    bits |= bit
    return bits


def _layout(folded: str, distinct: frozenset[str]) -> int:
    bits = 0
    for gate, checks in _GATED:
        if gate in folded:
            for bit, needles in checks:
                if not bits & bit and any(needle in folded for needle in needles):
                    bits |= bit
    for word, shot in _SHOTS:
        if word in distinct and folded.count(shot) > 1:
            bits |= _BIT["few_shot"]
    return bits


def marker_names(bits: int) -> frozenset[str]:
    """Name the bits that are set; a bit without a name is a newer version's."""
    return frozenset(name for name, bit in _BIT.items() if bits & bit)
