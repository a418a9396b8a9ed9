"""Windows, normalisation, tokens and masking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sketch.text import (
    HEAD_CHARACTERS,
    LONGEST_WORD,
    PLACEHOLDERS,
    TAIL_CHARACTERS,
    mask,
    tokenise,
    window,
)

any_text = st.text(alphabet=st.characters(codec=None), max_size=400)


@given(any_text)
def test_windows_are_clean_and_tokens_are_never_empty(text: str) -> None:
    view = window(text)
    view.folded.encode()
    assert "\0" not in view.folded
    tokens = tokenise(view.folded)
    assert all(tokens)
    assert all(mask(token) for token in tokens)


@given(any_text)
def test_tokens_cover_everything_but_space(text: str) -> None:
    folded = window(text).folded
    kept = "".join("".join(tokenise(folded)).split())
    assert kept == "".join(folded.split())


@given(st.text(alphabet="abc .,'\"`\n12_/@:-?!", max_size=200))
def test_ascii_is_cut_the_same_beside_other_scripts(text: str) -> None:
    # A template must keep its tokens when a filling brings another script.
    assert tokenise(f"步 {text}")[1:] == tokenise(f"x {text}")[1:]


@given(any_text)
def test_a_token_of_text_cannot_pass_for_a_placeholder(text: str) -> None:
    assert not set(tokenise(window(text).folded)) & set(PLACEHOLDERS)


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("7", 0), ("3.14", 0), ("2024-01-05", 0), ("3rd", 0), ("10:30", 0),
        ("snake_case", 1), ("a.b.c", 1), ("me@x.example", 1), ("https://x/y", 1),
        ("a" * (LONGEST_WORD + 1), 1), ("covid-19", 1),
        ('"any thing"', 2), ("'x'", 2), ("`f()`", 2), ("«да»", 2),
    ],
)  # fmt: skip
def test_fillings_are_masked(token: str, kind: int) -> None:
    assert tokenise(token) == [token]
    assert mask(token) == PLACEHOLDERS[kind]


@pytest.mark.parametrize(
    "token", ["step", "don't", "```", "###", "...", '"', "步", ":"]
)
def test_words_and_punctuation_are_not(token: str) -> None:
    assert tokenise(token) == [token]
    assert mask(token) == token


def test_apostrophes_open_no_quotation() -> None:
    assert tokenise("the dogs' bones, the cats' milk") == [
        "the", "dogs", "'", "bones", ",", "the", "cats", "'", "milk",
    ]  # fmt: skip


def test_blank_lines_are_one_line_break_and_none_at_the_end() -> None:
    assert tokenise("a\n \n\n b\n\n") == ["a", "\n", "b"]


def test_typographic_quotes_are_straight_ones() -> None:
    assert tokenise(window("don\u2019t say \u201cno way\u201d").folded) == [
        "don't", "say", '"no way"',
    ]  # fmt: skip


def test_surrogate_pairs_join_and_lone_ones_are_replaced() -> None:
    assert window("\ud83d\ude00 \ud83d").folded == "\U0001f600 \ufffd"


def test_long_texts_are_cut_at_both_ends() -> None:
    size = HEAD_CHARACTERS + TAIL_CHARACTERS
    assert window("x" * size).middle == b""
    cut = window("h" * HEAD_CHARACTERS + "m" * 10 + "t" * TAIL_CHARACTERS)
    assert cut.middle == b"m" * 10
    assert set(cut.folded) == {"h", "\n", "t"}


def test_text_that_normalisation_lengthens_is_cut_again() -> None:
    assert len(window("\ufdfa" * 30_000).folded) <= 31_000
