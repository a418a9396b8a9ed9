"""The sketch of a prompt: stable, keyed, masked, bounded, the same in a batch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.errors import ConfigError
from streams.sketch import SKETCH_BYTES, Sketch, Sketcher

KEY = b"0123456789abcdef0123456789abcdef"
SKETCHER = Sketcher(KEY, "2025-07")
HASHES = ("system", "head", "tail", "exact", "tools")
TEMPLATE = (
    "Please solve the following exercise and give the result.\n"
    "{filling}\n"
    "Let's think step by step and put the answer in a box."
)
LONG = " ".join(f"word{chr(97 + i % 26)} of the text" for i in range(40))

# Lone surrogates included: gateways pass on what JSON escapes let through.
any_text = st.text(alphabet=st.characters(codec=None), max_size=300)
mixed_text = st.one_of(
    any_text,
    st.text(alphabet="ab é步\n\"'`1.?{}\\ุ", max_size=400),
    st.lists(st.sampled_from(LONG.split()), max_size=60).map(" ".join),
)
turns = st.none() | st.lists(
    any_text | st.fixed_dictionaries({"role": any_text, "content": any_text}),
    max_size=3,
)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(any_text | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
tools = st.none() | any_text | st.lists(json_like, max_size=3)
contexts = st.tuples(mixed_text, st.none() | mixed_text, tools, turns)


@given(contexts)
@example(("", "", "", []))
@example(("\ud800", "\udfff", ["\ud800"], ["\ud800"]))
def test_any_input_gives_88_bytes_that_read_back(
    context: tuple[str, str | None, object, object],
) -> None:
    prompt, system, tool, turn = context
    sketch = SKETCHER.sketch(prompt, system=system, tools=tool, turns=turn)
    data = bytes(sketch)
    assert len(data) == SKETCH_BYTES <= 160
    assert Sketch.from_bytes(data) == sketch
    assert sketch.exact != 0
    assert (sketch.system == 0) == (not system)
    assert (sketch.tools == 0) == (not tool)
    assert sketch.turns == len(turn or ())


@given(st.lists(contexts, max_size=6))
def test_many_equals_one_by_one(batch: list[tuple]) -> None:
    prompts, systems, tool_lists, turn_lists = [
        list(column) for column in zip(*batch, strict=True)
    ] or [[], [], [], []]
    many = Sketcher(KEY, "2025-07").sketch_many(
        prompts, systems=systems, tools=tool_lists, turns=turn_lists
    )
    assert many == [
        SKETCHER.sketch(p, system=s, tools=t, turns=u) for p, s, t, u in batch
    ]


def test_many_equals_one_by_one_past_the_size_of_an_inner_batch() -> None:
    prompts = [f"{LONG} number {'x' * (i % 30)} {LONG[i:]}" for i in range(150)]
    assert SKETCHER.sketch_many(prompts) == [SKETCHER.sketch(p) for p in prompts]


def test_many_refuses_columns_of_different_length() -> None:
    with pytest.raises(ValueError, match="argument"):
        SKETCHER.sketch_many(["a", "b"], systems=["x"])
    with pytest.raises(ValueError, match="argument"):
        SKETCHER.sketch_many(["a"], turns=[])


@given(mixed_text.map(lambda t: f"one two three four five six seven {t}"), mixed_text)
def test_two_keys_share_no_hash(prompt: str, system: str) -> None:
    def keyed(key: bytes) -> Sketch:
        return Sketcher(key, "2025-07").sketch(prompt, system=system + "s", tools=["t"])

    one, two = keyed(KEY), keyed(KEY[:-1] + b"g")
    for field in HASHES:
        assert 0 != getattr(one, field) != getattr(two, field) != 0, field
    assert one.marker_bits == two.marker_bits
    assert one.ratios == two.ratios
    # Sixteen values of 16 bits: one may agree by chance, half of them may not.
    same = sum(a == b for a, b in zip(one.minhash, two.minhash, strict=True))
    assert any(one.minhash)
    assert same < 8


def test_a_dictionary_of_prompts_finds_nothing_under_a_wrong_key() -> None:
    words = ("sort", "list", "names", "dates", "files", "size", "age", "rank", "java")
    dictionary = [
        f"how do i {a} a {b} with {c} please tell me now"
        for a in words for b in words for c in words[:4]
    ]  # fmt: skip
    seen = {
        value
        for sketch in SKETCHER.sketch_many(dictionary)
        for value in (sketch.head, sketch.tail, sketch.exact)
    }
    guesses = Sketcher(b"guess" * 7, "2025-07").sketch_many(dictionary)
    assert not seen & {g for s in guesses for g in (s.head, s.tail, s.exact)}


def test_equal_content_in_two_fields_gives_unrelated_hashes() -> None:
    text = "one two three four five six seven eight"
    sketch = SKETCHER.sketch(text, system=text, tools=text)
    assert len({getattr(sketch, field) for field in HASHES}) == len(HASHES)


def test_the_key_id_sets_the_epoch_and_nothing_else() -> None:
    other = Sketcher(KEY, "2025-08").sketch(LONG)
    ours = SKETCHER.sketch(LONG)
    assert other.key_epoch != ours.key_epoch
    assert bytes(other)[2:] == bytes(ours)[2:]


def test_keys_of_any_length_but_none() -> None:
    assert Sketcher(b"k" * 200, "a").sketch(LONG) != Sketcher(b"k" * 201, "a").sketch(
        LONG
    )
    with pytest.raises(ConfigError, match="32 random bytes"):
        Sketcher(b"", "a")


@pytest.mark.parametrize(
    ("template", "one", "other"),
    [
        ("Add {} to what you have got so far", "3 and 4,500.25", "17 and 2"),
        ("Give a synonym of the word {} that fits", '"house"', '"blue sky"'),
        ("Explain what {} does in a few words", "`foo(x)`", "`bar`"),
        ("Read {} and tell me about it", "https://a.example/x?y=1", "http://b.org"),
        ("Which file calls {} in this project here", "parse_args", "read_line_2"),
        ("Decode the token {} for me now", "aGVsbG8gd29y" * 3, "bm8gb25lIGtu" * 3),
        ("请 把 {} 加 到 345 里 面 去", "12", "7"),
        ("请问{}的作者是谁呢", "《红楼梦》", "《西游记》"),
    ],
)
def test_masked_fillings_keep_all_template_hashes(
    template: str, one: str, other: str
) -> None:
    a, b = SKETCHER.sketch_many([template.format(one), template.format(other)])
    assert a.head == b.head != 0
    assert a.tail == b.tail != 0
    assert a.minhash == b.minhash
    assert a.exact != b.exact


@given(mixed_text, mixed_text)
def test_a_line_of_its_own_keeps_its_hash_whatever_fills_the_template(
    one: str, other: str
) -> None:
    a = SKETCHER.sketch(TEMPLATE.format(filling=f"A {one.strip()} z."))
    b = SKETCHER.sketch(TEMPLATE.format(filling=f"A {other.strip()} z."))
    assert a.head == b.head != 0
    assert a.tail == b.tail != 0


FILLINGS = (
    "A robe takes 2 bolts of blue fiber and half that much white fiber.",
    "Who wrote the oldest surviving book on bees?",
    "Stop!",
)


@pytest.mark.parametrize("filling", FILLINGS[1:])
def test_a_sentence_of_its_own_keeps_its_hash_on_the_same_line(filling: str) -> None:
    wrapper = "Answer this as a true expert would. {} Let's think step by step."
    a, b = SKETCHER.sketch_many([wrapper.format(f) for f in (FILLINGS[0], filling)])
    assert a.head == b.head != 0
    assert a.tail == b.tail != 0


def test_prompts_without_a_common_template_share_nothing() -> None:
    a, b = SKETCHER.sketch_many(FILLINGS[:2])
    assert a.head != b.head
    assert a.tail != b.tail


def test_minhash_estimates_how_much_two_prompts_share() -> None:
    words = LONG.split()
    base = SKETCHER.sketch(" ".join(words))
    near = SKETCHER.sketch("Well now , " + " ".join(words) + " , thank you")
    far = SKETCHER.sketch(" ".join(w[::-1] + "q" for w in words))

    def agreement(other: Sketch) -> int:
        return sum(a == b for a, b in zip(base.minhash, other.minhash, strict=True))

    assert agreement(near) >= 10
    assert agreement(far) <= 2


@pytest.mark.parametrize("prompt", ["", "hi", "how are you today", "步" * 5, "? ! ."])
def test_what_is_too_short_for_a_template_has_none(prompt: str) -> None:
    sketch = SKETCHER.sketch(prompt)
    assert (sketch.head, sketch.tail, set(sketch.minhash)) == (0, 0, {0})
    assert sketch.exact != 0


@given(any_text, any_text)
def test_exact_tells_texts_apart_but_for_case(one: str, other: str) -> None:
    same = SKETCHER.sketch(one).exact == SKETCHER.sketch(other).exact
    if one == other:
        assert same
    elif one.isascii() and other.isascii():
        folded = [t.replace("\0", "").lower() for t in (one, other)]
        assert same == (folded[0] == folded[1])


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace(" ", " \u200b"),
        lambda text: text.replace("o", "\uff4f"),
        lambda text: text.replace(" ", "   "),
    ],
    ids=["case", "zero-width", "full-width", "spaces"],
)
def test_disguises_of_the_same_words_keep_the_template(
    change: Callable[[str], str],
) -> None:
    plain, disguised = SKETCHER.sketch(LONG), SKETCHER.sketch(change(LONG))
    assert plain.head == disguised.head
    assert plain.tail == disguised.tail
    assert plain.minhash == disguised.minhash


def test_a_megabyte_is_read_at_both_ends_and_told_apart_in_the_middle() -> None:
    filler = "lorem ipsum dolor sit amet " * 40_000
    start, end = "Sum up the text that follows in one line.", "\nNow sum it all up."
    one = SKETCHER.sketch(f"{start}\n{filler}{end}")
    other = SKETCHER.sketch(f"{start}\n{filler[:500_000]}x{filler[500_000:]}{end}")
    assert len(filler) > 1_000_000
    assert one.head == other.head == SKETCHER.sketch(start).head
    assert one.tail == other.tail
    assert one.exact != other.exact
    assert "long_context" in one.markers


@pytest.mark.parametrize("piece", ['"', " '", "`a", "\n ", "\ufdfa", "«a", "e\u0301"])
def test_the_cache_and_the_work_stay_bounded_on_hostile_repetition(piece: str) -> None:
    sketcher = Sketcher(KEY, "2025-07")
    sketch = sketcher.sketch(piece * (600_000 // len(piece)))
    assert sketch.ratios["length"] >= 150
    assert all(len(vocabulary) < 10_000 for vocabulary in sketcher._idle)


def test_turns_are_counted_up_to_255() -> None:
    assert SKETCHER.sketch("a", turns=["x"] * 1000).turns == 255


def test_reprs_hold_no_text_and_no_key() -> None:
    sketcher = Sketcher(KEY, "2025-07")
    sketch = sketcher.sketch("tell me the secret word swordfish now please")
    assert "swordfish" not in repr(sketch) + repr(sketcher) + repr(sketcher._idle)
    assert "0123456789" not in repr(sketcher)


def test_same_bytes_in_other_processes_whatever_the_hash_seed() -> None:
    program = (
        "import sys; from streams.sketch import Sketcher;"
        "s = Sketcher(bytes.fromhex(sys.argv[1]), '2025-07');"
        "print(bytes(s.sketch(sys.argv[2], system='be brief',"
        "tools=[{'b': 1, 'a': {'d': 2, 'c': 3}}], turns=['x'])).hex())"
    )
    ours = SKETCHER.sketch(
        LONG, system="be brief", tools=[{"a": {"c": 3, "d": 2}, "b": 1}], turns=["x"]
    )
    for seed in ("0", "1", "4242"):
        run = subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", program, KEY.hex(), LONG],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == bytes(ours).hex()
