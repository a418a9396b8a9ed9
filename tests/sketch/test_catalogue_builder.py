"""Templates are found by their keys whatever fills them in, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.errors import ConfigError
from streams.sketch import SKETCH_BYTES, Sketcher
from streams.sketch.catalogue import CATALOGUED_KINDS, Catalogue
from streams.sketch.catalogue_builder import (
    Template,
    build_catalogue,
    public_templates,
    read_templates,
)
from streams.sketch.columns import sketch_columns

KEY, OTHER_KEY = (
    b"0123456789abcdef0123456789abcdef",
    b"another key of thirty-two bytes.",
)
SKETCHER = Sketcher(KEY, "2026-03")
_HEAD, _TAIL, _BAND0, _BAND1, _SYSTEM = range(len(CATALOGUED_KINDS))

_OWN = ("grade", "essay", "about", "harvest", "mountain", "railway", "clock", "garden")
_FILLED = ("quick", "number", "triangle", "seven", "water", "people", "under")
_SENTENCE = st.lists(st.sampled_from(_OWN), min_size=9, max_size=16).map(" ".join)
_FILLING = st.lists(st.sampled_from(_FILLED), min_size=5, max_size=60).map(" ".join)


def find(catalogue: Catalogue, prompt: str, system: str = "") -> NDArray[np.int64]:
    """Give the entry of each of a prompt's five keys, -1 for none."""
    sketch = bytes(SKETCHER.sketch(prompt, system=system or None))
    columns = sketch_columns(np.frombuffer(sketch, np.uint8).reshape(-1, SKETCH_BYTES))
    keys = np.stack([getattr(columns, kind) for kind in CATALOGUED_KINDS], axis=1)
    return catalogue.index.find(keys)[0]


@given(_SENTENCE, _SENTENCE, _SENTENCE, _FILLING)
@settings(max_examples=40, deadline=None)
def test_any_filling_of_a_template_is_covered_and_another_template_is_not(
    head: str, tail: str, system: str, filling: str
) -> None:
    template = Template("own", prompt=f"{head}: {{{{text}}}}\n{tail}", system=system)
    catalogue = build_catalogue([template], [("2026-03", KEY)])
    found = find(catalogue, f"{head}: {filling}\n{tail}", system)
    assert found[[_HEAD, _TAIL, _SYSTEM]].tolist() == [0, 0, 0]
    assert (find(catalogue, f"{filling}. {filling}", filling) == -1).all()
    strange = build_catalogue([template], [("2026-03", OTHER_KEY)])
    assert (find(strange, f"{head}: {filling}\n{tail}", system) == -1).all()
    both = build_catalogue([template], [("2026-02", OTHER_KEY), ("2026-03", KEY)])
    assert (find(both, f"{head}: {filling}\n{tail}", system)[:_BAND0] == 0).all()


def test_values_stand_for_each_of_their_texts() -> None:
    template = Template(
        "quiz",
        prompt="Answer this difficult question about {{subject}}.\n{{question}}",
        values={"subject": ["chess", "medieval history"]},
    )
    catalogue = build_catalogue([template], [("2026-03", KEY)])
    ask = "Answer this difficult question about {}.\nWhy do kings castle?"
    assert find(catalogue, ask.format("chess"))[_HEAD] == 0
    assert find(catalogue, ask.format("medieval history"))[_HEAD] == 0
    assert find(catalogue, ask.format("modern poetry"))[_HEAD] == -1


def test_a_template_too_short_to_keep_a_key_has_none() -> None:
    [entry] = build_catalogue(
        [Template("bare", prompt="Question: {{q}}\nAnswer:")], [("a", KEY)]
    ).entries
    assert entry.keys == {}


def test_building_twice_gives_the_same_bytes() -> None:
    templates = public_templates()[:6]
    one, other = (build_catalogue(templates, [("a", KEY)]).encode() for _ in range(2))
    assert one == other


# A real use of each, as the public harness or framework would send it.
_USES = {
    "gsm8k-8-shot-cot": """\
Q: There are 15 trees in the grove. Grove workers will plant trees in the grove today. \
After they are done, there will be 21 trees. How many trees did the grove workers \
plant today?
A: There are 15 trees originally. Then there were 21 trees after some more were \
planted. So there must have been 21 - 15 = 6. The answer is 6.

Q: Janet's ducks lay 16 eggs per day. How much does she make?
A:""",
    "mmlu": """\
The following are multiple choice questions (with answers) about high school physics.

Which of these is a vector?
A. Mass
B. Speed
C. Force
D. Work
Answer:""",
    "bbh-cot": """\
Evaluate the result of a random Boolean expression.

Q: not ( True ) and ( True ) is
A: Let's think step by step.""",
    "mt-bench-pair": """\
[User Question]
What is rain?

[The Start of Assistant A's Answer]
Water.
[The End of Assistant A's Answer]

[The Start of Assistant B's Answer]
Drops of water fall.
[The End of Assistant B's Answer]""",
    "llama-index-text-qa": """\
Context information is below.
---------------------
Lima is the capital of Peru.
---------------------
Given the context information and not prior knowledge, answer the query.
Query: What is the capital?
Answer: """,
}


def test_shipped_templates_have_a_source_a_licence_and_keys() -> None:
    catalogue = build_catalogue(public_templates(), [("2026-03", KEY)])
    assert {entry.licence for entry in catalogue.entries} <= {"MIT", "Apache-2.0"}
    assert all(entry.source and entry.keys for entry in catalogue.entries)
    names = [entry.name for entry in catalogue.entries]
    for name, prompt in _USES.items():
        assert names.index(name) in find(catalogue, prompt).tolist(), name
    found = find(catalogue, "What is the capital?", "You are a helpful assistant.")
    assert found.tolist() == [-1] * 4 + [names.index("helpful-assistant")]
    # Ordinary prompts, and a campaign's own words.
    for prompt in (
        "Can you help me with a recipe for lentil soup with cumin?",
        "Grade the essay below for structure, evidence and style, and return JSON.",
        "Evaluate my random thoughts about the harvest, and please be kind about it.",
    ):
        assert (find(catalogue, prompt) == -1).all()


def test_files_of_templates_and_of_one_text_are_read(tmp_path: Path) -> None:
    text = tmp_path / "ours.txt"
    text.write_text("Summarise this ticket: {{ticket}}\n", encoding="utf-8")
    assert read_templates(text) == [
        Template("ours", source="ours.txt", prompt="Summarise this ticket: {{ticket}}")
    ]
    table = tmp_path / "ours.toml"
    table.write_text('[[template]]\nname = "a"\nsystem = "Be kind."\n', "utf-8")
    assert read_templates(table) == [Template("a", system="Be kind.")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.toml", b"[[template]]\nname = 3\n", "tables \\[\\[template\\]\\]"),
        ("a.toml", b"[[template]\n", "a.toml"),
        ("a.toml", b'[[template]]\nname = "a"\n', "has no text"),
        ("a.toml", b'[[template]]\nname = "a"\nprompt = "b"\n' * 2, "two templates"),
        ("a.txt", b"\xff\xfe", "UTF-8"),
    ],
)
def test_another_file_is_refused(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_templates(tmp_path / name)


def test_too_many_combinations_of_values_are_refused() -> None:
    names = [str(number) for number in range(50)]
    values = {"a": names, "b": names}
    template = Template("many", prompt="{{a}} {{b}}", values=values)
    with pytest.raises(ConfigError, match="2,500 combinations"):
        build_catalogue([template], [("2026-03", KEY)])
