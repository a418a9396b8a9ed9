"""Sketches made for many prompts at a time are those of a plain, slow reading.

The reading here goes token by token, as the docstrings of `streams.sketch` tell it.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.sketch import MARKERS, SKETCH_VERSION, Sketcher
from streams.sketch.keyed import FieldHash, MinHasher, key_epoch
from streams.sketch.lexicon import FOREIGN_WORDS, LEXICON
from streams.sketch.markers import PHRASES, WORD_BITS, layout_bits
from streams.sketch.record import PACKING
from streams.sketch.text import LINE_BREAK, SENTENCE_ENDS, mask, tokenise, window
from streams.sketch.vocabulary import Vocabulary

KEY = b"0123456789abcdef0123456789abcdef"
SKETCHER = Sketcher(KEY, "plain")
HEAD, TAIL, EXACT, TOKEN = (
    FieldHash(KEY, name) for name in ("head", "tail", "exact", "token")
)
MINHASH = MinHasher(KEY)
SHOTS = {
    "q": "q:", "question": "question:", "input": "input:", "user": "user:",
    "problem": "problem:", "问": "问:", "题": "问题:", "вопрос": "вопрос:",
    "pregunta": "pregunta:", "example": "example ",
}  # fmt: skip
ENTRIES = [entry for entries in LEXICON.values() for entry in entries.split("|")]


def token_hash(token: str) -> int:
    return TOKEN(mask(token).encode("utf-8", "surrogatepass"))


def edge(tokens: Sequence[str], fewest: int, most: int) -> list[bytes]:
    found: list[bytes] = []
    for token in tokens:
        if token in SENTENCE_ENDS and len(found) >= fewest:
            break
        if token != LINE_BREAK and len(found) < most:
            found.append(token_hash(token).to_bytes(8, "little"))
    return found


def marker_bits(prompt: str, folded: str, tokens: list[str], non_ascii: int) -> int:
    bits = layout_bits(folded)
    joined = f" {' '.join(tokens)} ".replace(" \n ", " ")
    for phrase in PHRASES:
        if f" {' '.join(phrase.tokens)} " in joined:
            bits |= phrase.bit if set(phrase.tokens) <= set(tokens) else 0
    for token in tokens:
        bits |= WORD_BITS.get(token, 0)
    if any(word in tokens and folded.count(SHOTS[word]) > 1 for word in SHOTS):
        bits |= 1 << MARKERS.index("few_shot")
    if len(prompt) >= 8000:
        bits |= 1 << MARKERS.index("long_context")
    if non_ascii * 6 > len(folded) or len(FOREIGN_WORDS & set(tokens)) >= 3:
        bits |= 1 << MARKERS.index("non_english")
    return bits


def count_level(count: int) -> int:
    if not count:
        return 0
    octave = math.frexp(count)[1] - 1
    return min(255, 1 + 8 * octave + (count * 8 // 2**octave - 8))


def share_level(part: int, whole: int) -> int:
    return math.isqrt(255 * 255 * part // whole) if whole else 0


def ratio_bytes(prompt: str, shown: str, tokens: list[str]) -> bytes:
    def share(characters: str) -> int:
        return share_level(sum(c in characters for c in shown), len(shown))

    spaces = " \t\r\n" + string.ascii_letters + string.digits
    punctuation = "".join(chr(n) for n in range(128) if chr(n) not in spaces)
    return bytes(
        (
            count_level(len(prompt)),
            share(string.digits),
            share_level(sum(not c.isascii() for c in shown), len(shown)),
            share(punctuation),
            share(string.ascii_uppercase),
            share_level(len(tokens) - len(set(tokens)), len(tokens)),
            share("\n"),
            share("[]{}()<>=_$\\/&|^~`+*#@%"),
            count_level(shown.count("?")),
            0,
        )
    )


def plain_sketch(prompt: str) -> bytes:
    view = window(prompt)
    tokens = tokenise(view.folded)
    hashes = [token_hash(token) for token in tokens if token != LINE_BREAK]
    enough = len(hashes) >= 6
    minhash = bytes(32)
    if len(hashes) >= 7:
        slots = MINHASH(np.array(hashes, dtype=np.uint64), [0, len(hashes)])
        minhash = slots.astype("<u2").tobytes()
    non_ascii = sum(not character.isascii() for character in view.shown)
    return PACKING.pack(
        SKETCH_VERSION,
        key_epoch("plain"),
        marker_bits(prompt, view.folded, tokens, non_ascii),
        ratio_bytes(prompt, view.shown, tokens),
        0,
        HEAD(*edge(tokens, 6, 16)) if enough else 0,
        TAIL(*edge(tokens[::-1], 4, 8)) if enough else 0,
        minhash,
        EXACT(view.folded.encode(), b"\0", view.middle),
        0,
    )


# What joins, parts, quotes, breaks lines, masks and swallows, in several scripts.
PIECES = st.one_of(
    st.sampled_from(ENTRIES),
    st.sampled_from([*SHOTS.values(), *sorted(FOREIGN_WORDS)[:8], *SENTENCE_ENDS]),
    st.text("ab1_\n\"'`.,:;/@-?!()<{ \t\x1c\x0b", max_size=8),
    st.text("aé步นк\u0301ß\n\"'`«»「」.,:/1 \u00a0\x1d\x85", max_size=8),
    st.sampled_from(["don't", "http://x.y/?q='a'", "://", "x" * 25, "3,400.50", "``"]),
    st.text(alphabet=st.characters(codec=None), max_size=6),
)
BETWEEN = st.sampled_from([" ", "\n", "", ' "', '" ', " '", "' ", ". ", "\n \n", "`"])
TEXTS = st.lists(st.tuples(PIECES, BETWEEN), max_size=25).map(
    lambda parts: "".join(piece + between for piece, between in parts)
)


@settings(max_examples=400)
@given(st.lists(TEXTS, max_size=6))
@example(["", "\n", "x", "\n\nx\n", '"', "'"])
@example(["say 'don't' or 'x y' or \"a", "http://a'b'c 'd e' f", "a '` b' `"])
@example(
    ["步'a b'", "l'été d'un 'mot' en l'air", "é\n\n \nthe \x1c end", "é https://「a」"]
)
@example(['he said " think step by step now " and step by, think', "q: a\nq: b"])
def test_sketches_are_those_of_a_plain_reading(prompts: list[str]) -> None:
    found = [bytes(sketch) for sketch in SKETCHER.sketch_many(prompts)]
    assert found == [plain_sketch(prompt) for prompt in prompts]


@pytest.mark.parametrize(
    "piece",
    [
        "word of the text\n\n", 'a "quoted text of more than its length" b ', "'x' \n",
        "x_y_z" * 6 + " ", "步 \n", "«a» ", "http://a.b ", "\n. ",
    ],
)  # fmt: skip
def test_long_prompts_are_cut_between_the_same_tokens(piece: str) -> None:
    numbered = "".join(f"{piece}w{n}\n" for n in range(6000 // len(piece) + 1200))
    prompts = ["first one", numbered, piece * 9000, "so 'it goes' on"]
    found = [bytes(sketch) for sketch in SKETCHER.sketch_many(prompts)]
    assert found == [plain_sketch(prompt) for prompt in prompts]


def test_a_full_vocabulary_starts_anew_and_sketches_stay() -> None:
    sketcher = Sketcher(KEY, "plain")
    prompts = [" ".join(f"w{n:x}q" for n in range(i, i + 4000)) for i in range(40)]
    prompts += [" ".join(f"w{4000 * i + n:x}q" for n in range(4000)) for i in range(20)]
    found = [bytes(sketch) for sketch in sketcher.sketch_many(prompts)]
    assert found[-1] == plain_sketch(prompts[-1])
    assert found[0] == plain_sketch(prompts[0])
    assert found[:40] == [bytes(sketcher.sketch(prompt)) for prompt in prompts[:40]]
    vocabulary = Vocabulary(KEY)
    sizes = []
    for number in range(70_000):
        if vocabulary.full:
            vocabulary.clear()
        vocabulary.read(f"w{number:x}q")
        sizes.append(len(vocabulary))
    assert max(sizes) > 2 * 65_000
    assert max(sizes[66_000:]) < 20_000


def test_threads_share_a_sketcher() -> None:
    sketcher = Sketcher(KEY, "plain")
    prompts = [f"word{n} of 'the {n} text' and so on, word{n * n}" for n in range(300)]
    expected = [bytes(sketch) for sketch in SKETCHER.sketch_many(prompts)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(sketcher.sketch, prompts * 4))
    assert [bytes(sketch) for sketch in found] == expected * 4


def test_long_fillings_are_not_kept() -> None:
    vocabulary = Vocabulary(KEY)
    before = len(vocabulary)
    reading = vocabulary.read('"a quotation of some length" and ' + "x" * 30)
    assert reading.long == ['"a quotation of some length"', "x" * 30]
    assert len(vocabulary) == before + 1  # the chunk "and"; the token is a marker's
    assert "x" * 30 not in repr(vocabulary)
