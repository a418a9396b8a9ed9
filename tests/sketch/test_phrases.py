"""Phrases found by number are those that a plain search in the joined tokens finds."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.sketch import Sketcher
from streams.sketch.lexicon import LEXICON
from streams.sketch.markers import MARKERS, PHRASES
from streams.sketch.phrases import PhraseFinder
from streams.sketch.text import tokenise, window
from streams.sketch.token_batch import TokenBatch
from streams.sketch.vocabulary import Vocabulary

VOCABULARY = Vocabulary(b"k" * 32)
FINDER = PhraseFinder(PHRASES)
ENTRIES = [entry for entries in LEXICON.values() for entry in entries.split("|")]
pieces = st.sampled_from(ENTRIES) | st.text("ab ste1\n\"'`.,é步«»", max_size=6)
# What stands between may part a phrase, join it, quote it or break the line.
texts = st.lists(
    st.tuples(pieces, st.sampled_from([" ", "\n", "", ' "', '" ', " ' ", ".", "  "])),
    max_size=12,
).map(lambda parts: "".join(piece + between for piece, between in parts))


def plain(tokens: list[str]) -> int:
    """Look for each phrase in the prompt, one after the other."""
    joined = f" {' '.join(tokens)} ".replace(" \n ", " ")
    bits = 0
    for phrase in PHRASES:
        inside = f" {' '.join(phrase.tokens)} " in joined
        if inside and set(phrase.tokens) <= set(tokens):
            bits |= phrase.bit
    return bits


def found(prompts: list[str]) -> list[int]:
    readings = [VOCABULARY.read(prompt) for prompt in prompts]
    bits: list[int] = FINDER(TokenBatch(readings, VOCABULARY.hashes)).tolist()
    return bits


@settings(max_examples=300)
@given(st.lists(texts, max_size=5))
@example(['he said "think step by step now" and step by'])
@example(["step by", "step"])
@example(["", "\nstep\nby\nstep\n", ""])
def test_phrases_are_those_of_a_plain_search(prompts: list[str]) -> None:
    folded = [window(prompt).folded for prompt in prompts]
    assert found([*folded, ""]) == [plain(tokenise(each)) for each in [*folded, ""]]


def test_every_phrase_is_found_in_a_batch_of_all() -> None:
    prompts = [f"so {' '.join(phrase.tokens)} then" for phrase in PHRASES]
    for bits, phrase in zip(found(prompts), PHRASES, strict=True):
        assert bits & phrase.bit


def test_a_phrase_does_not_reach_from_one_prompt_into_the_next() -> None:
    assert found(["step by", "step", "", "step"]) == [0, 0, 0, 0]


def test_nothing_gives_nothing() -> None:
    assert found([""]) == [0]
    assert found(["", "\n"]) == [0, 0]


def test_the_key_decides_nothing() -> None:
    text = "you are a judge\nthink step by step, in the format of json"
    bits = {Sketcher(bytes([n]) * 32, "id").sketch(text).marker_bits for n in range(20)}
    assert len(bits) == 1
    assert bits.pop() >> MARKERS.index("step_by_step") & 1
