"""Marker bits: what a prompt asks for and looks like, in 32 bits.

Two sources, and no battery of regular expressions: words and phrases of
`streams.sketch.lexicon`, found among the tokens that are cut anyway by
`streams.sketch.token_batch` and `streams.sketch.phrases`, and plain substring checks
for layout. Markers explain and
route; they are no evidence of guilt.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from streams.sketch.lexicon import FOREIGN_WORDS, LEXICON
from streams.sketch.text import tokenise

__all__ = [
    "MARKERS",
    "MARKER_TOKENS",
    "PHRASES",
    "SHOT_WORDS",
    "WORD_BITS",
    "Phrase",
    "layout_bits",
    "marker_names",
    "repeated_shot_bit",
    "size_and_language_bits",
]

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
    ("section_header", "#", ("###",)),
    ("section_header", "[", ("[inst]",)),
    ("json_braces", "{", ('{"',)),
    ("json_braces", '"', ('":',)),
    ("tool_schema", '"', ('"parameters"', '"function"', '"input_schema"')),
    ("latex", "\\", _LATEX),
    ("latex", "$", ("$$", "$.", "$,", "$ is ", "$ and ", "$ be ", "$?")),
    ("code_request", "(", ("def ",)),
    ("code_request", "#", ("#include",)),
    ("multiple_choice", "(", ("(b)",)),
)
# What sets a marker at the start of a line, but for the first; one search finds all.
_LINE_STARTS = {
    "2.": "numbered_list", "2)": "numbered_list", "(2)": "numbered_list",
    "2、": "numbered_list", "# ": "section_header", "## ": "section_header",
    "b)": "multiple_choice", "b.": "multiple_choice", "- b": "multiple_choice",
}  # fmt: skip
_RETURN = "    return "  # asks for code where the text has a parenthesis, too
_LINE_START = re.compile(r"\n(2[.)、]|\(2\)|##? |b[.)]|- b(?=\n)|    return )")
# Two of one of these make a prompt few-shot: (word among the tokens, as it is set).
_SHOTS = (
    ("q", "q:"), ("question", "question:"), ("input", "input:"), ("user", "user:"),
    ("problem", "problem:"), ("问", "问:"), ("题", "问题:"), ("вопрос", "вопрос:"),
    ("pregunta", "pregunta:"), ("example", "example "),
)  # fmt: skip


class Phrase(NamedTuple):
    """At least two tokens in a row that set a marker bit."""

    tokens: tuple[str, ...]
    bit: int


def _entries() -> tuple[dict[str, int], tuple[Phrase, ...]]:
    """Split the lexicon: bits by word, and phrases."""
    words: dict[str, int] = {}
    phrases: list[Phrase] = []
    for name, entries in LEXICON.items():
        for entry in entries.split("|"):
            tokens = tokenise(entry)
            if len(tokens) == 1:
                words[tokens[0]] = words.get(tokens[0], 0) | _BIT[name]
            else:
                phrases.append(Phrase(tuple(tokens), _BIT[name]))
    return words, tuple(phrases)


WORD_BITS, PHRASES = _entries()
SHOT_WORDS = {word: 1 << number for number, (word, _) in enumerate(_SHOTS)}
MARKER_TOKENS = (
    SHOT_WORDS.keys() | FOREIGN_WORDS | WORD_BITS.keys()
    | {token for phrase in PHRASES for token in phrase.tokens}
)  # fmt: skip
"""All tokens that mean something to a marker; none is longer than LONGEST_WORD."""

_GATED = tuple(
    (gate, tuple((_BIT[name], found) for name, g, found in _LAYOUT if g == gate))
    for gate in dict.fromkeys(gate for _, gate, _ in _LAYOUT)
)


def layout_bits(folded: str) -> int:
    r"""Find the bits that layout sets: code fences, lists, braces ...

    >>> sorted(marker_names(layout_bits("1. is it?\n2. why")))
    ['numbered_list', 'question']
    """
    bits = _line_starts(folded) if "\n" in folded else 0
    for gate, checks in _GATED:
        if gate in folded:
            for bit, needles in checks:
                if not bits & bit and any(needle in folded for needle in needles):
                    bits |= bit
    return bits


def repeated_shot_bit(folded: str, words: int) -> int:
    """Tell a few-shot prompt; ``words`` has the bits of `SHOT_WORDS` in it."""
    for number, (_, shot) in enumerate(_SHOTS):
        if words >> number & 1 and folded.count(shot) > 1:
            return _BIT["few_shot"]
    return 0


def size_and_language_bits(
    characters: int, folded: int, non_ascii: int, foreign: int
) -> int:
    """Find the bits of a long prompt, and of one that is not in English.

    ``characters`` is the whole prompt's length, ``folded`` that of its window, in which
    ``non_ascii`` characters are not ASCII; ``foreign`` counts the different words
    of `streams.sketch.lexicon.FOREIGN_WORDS` in it.
    """
    bits = _BIT["long_context"] if characters >= _LONG_CONTEXT else 0
    if non_ascii * _FOREIGN_LETTERS > folded or foreign >= _FOREIGN_ENOUGH:
        bits |= _BIT["non_english"]
    return bits


def _line_starts(folded: str) -> int:
    bits = 0
    for start in set(_LINE_START.findall(folded)):
        if start != _RETURN:
            bits |= _BIT[_LINE_STARTS[start]]
        elif "(" in folded:
            bits |= _BIT["code_request"]
    return bits


def marker_names(bits: int) -> frozenset[str]:
    """Name the bits that are set; a bit without a name is a newer version's."""
    return frozenset(name for name, bit in _BIT.items() if bits & bit)
