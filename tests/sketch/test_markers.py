"""Marker bits: what sets each, in which languages, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sketch import MARKERS, Sketcher
from streams.sketch.lexicon import LEXICON
from streams.sketch.markers import MARKER_TOKENS, marker_names
from streams.sketch.text import LONGEST_WORD, tokenise

SKETCHER = Sketcher(b"m" * 32, "test")

SETS = [
    ("step_by_step", "Let's think step by step."),
    ("step_by_step", "Think about it\nstep by\nstep"),
    ("step_by_step", "Use chain-of-thought, and show your work."),
    ("step_by_step", "请一步一步地思考这个问题"),
    ("step_by_step", "Resuélvelo paso a paso"),
    ("step_by_step", "Реши задачу шаг за шагом"),
    ("rubric_or_score_scale", "Use the rubric below."),
    ("rubric_or_score_scale", "Rate it on a scale of 1 to 5"),
    ("rubric_or_score_scale", "请按照评分标准给出分数"),
    ("grade_or_judge", "Act as an impartial judge"),
    ("grade_or_judge", "Оцените ответ модели"),
    ("output_format_demand", "Answer in JSON, nothing else."),
    ("output_format_demand", "只输出最终答案"),
    ("code_fence", "```py\nx\n```"),
    ("imperative_generation", "Write a poem"),
    ("imperative_generation", "Напиши стихотворение"),
    ("instruction_generation", "Come up with a series of tasks"),
    ("role_play", "I want you to act as a linux terminal"),
    ("role_play", "你是一名医生"),
    ("tool_schema", "toolformer: enabled"),
    ("tool_schema", '{"name": "f", "parameters": {}}'),
    ("latex", "Find \\frac{1}{2} of it"),
    ("latex", "a band with $m$ members, where $m$ is odd"),
    ("question", "Why?"),
    ("question", "为什么\uff1f"),
    ("numbered_list", "1. one\n2. two"),
    ("reference_answer", "The reference answer is below"),
    ("few_shot", "Q: a\nA: b\nQ: c\nA:"),
    ("translation", "Translate this"),
    ("translation", "把这句话翻译成英文"),
    ("summarise", "Summarize the text"),
    ("reasoning_trace_request", "Reconstruct your inner monologue"),
    ("reasoning_trace_request", "请写出完整的思考过程"),
    ("reasoning_trace_request", "Опиши ход рассуждений"),
    ("rewrite_request", "Rewrite this text"),
    ("code_request", "in python"),
    ("math_words", "Solve the equation"),
    ("politeness", "do it, please"),
    ("first_person", "I've lost my key"),
    ("second_person", "can you help"),
    ("chat_greeting", "Hello there"),
    ("multiple_choice", "(A) red (B) blue"),
    ("comparison", "compare red and blue"),
    ("xml_tags", "<doc>text</doc>"),
    ("json_braces", '{"a": 1}'),
    ("section_header", "### Instruction:"),
    ("long_context", "word " * 2000),
    ("non_english", "今天天气很好"),
    ("non_english", "cual es la capital de Francia que está en el norte y las demás"),
    ("self_reference_to_model", "As an AI language model"),
]


@pytest.mark.parametrize(("marker", "prompt"), SETS)
def test_a_prompt_sets_its_marker(marker: str, prompt: str) -> None:
    assert marker in SKETCHER.sketch(prompt).markers


def test_every_marker_has_an_example_above() -> None:
    assert {marker for marker, _ in SETS} == set(MARKERS)


@pytest.mark.parametrize(
    ("marker", "prompt"),
    [
        ("step_by_step", "Mind the step by the door; a stepladder"),
        ("role_play", "you are kind"),
        ("few_shot", "Q: only one\nA:"),
        ("non_english", "a café à la carte, de facto"),
        ("latex", "it costs $5 or $6 a piece"),
        ("numbered_list", "in 2.5 hours"),
        ("first_person", "implement it"),
        ("long_context", "word " * 100),
    ],
)
def test_what_only_looks_alike_does_not(marker: str, prompt: str) -> None:
    assert marker not in SKETCHER.sketch(prompt).markers


def test_markers_are_append_only() -> None:
    # The bits are stored in topics and references: these names keep these places.
    assert MARKERS[:4] == (
        "step_by_step",
        "rubric_or_score_scale",
        "grade_or_judge",
        "output_format_demand",
    )
    assert MARKERS[31] == "self_reference_to_model"
    assert len(MARKERS) == len(set(MARKERS)) == 32


def test_the_lexicon_names_markers_that_exist_and_says_nothing_twice() -> None:
    assert set(LEXICON) <= set(MARKERS)
    for name, entries in LEXICON.items():
        listed = entries.split("|")
        assert all(entry == entry.strip() != "" for entry in listed), name
        assert len(listed) == len(set(listed)), name
        assert entries == entries.casefold(), name


@pytest.mark.parametrize(
    ("name", "entry"), [(n, e) for n, es in LEXICON.items() for e in es.split("|")]
)
def test_every_entry_sets_its_bit(name: str, entry: str) -> None:
    assert name in SKETCHER.sketch(f"so {entry} then").markers


LINE_STARTS = {
    "numbered_list": ("\n2.", "\n2)", "\n(2)", "\n2、"),
    "section_header": ("\n# ", "\n## ", "###"),
    "multiple_choice": ("\nb)", "\nb.", "\n- b\n", "(b)"),
}


@given(st.text("\n\n2.)、(#  b-", max_size=30))
def test_starts_of_lines_are_those_of_a_plain_search(text: str) -> None:
    markers = SKETCHER.sketch(text).markers
    for name, needles in LINE_STARTS.items():
        assert (name in markers) == any(needle in text for needle in needles), name


def test_names_of_bits() -> None:
    assert marker_names(0) == frozenset()
    assert marker_names(0b101) == {"step_by_step", "grade_or_judge"}
    assert marker_names(0xFFFFFFFF) == set(MARKERS)


def test_tokens_of_the_lexicon_have_numbers_of_their_own() -> None:
    assert max(map(len, MARKER_TOKENS)) <= LONGEST_WORD
    assert all(tokenise(token) == [token] for token in MARKER_TOKENS)
