from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.scenarios.chance import dice
from streams.scenarios.corpora import MAX_CHARS, Prompt
from streams.scenarios.generators import expand, make
from streams.scenarios.templates import Template, compose, interactive, templates
from streams.scenarios.wordings import LEXICON, WORDINGS


@given(st.sampled_from(sorted(WORDINGS)), st.integers(0, 2**32))
def test_no_slot_is_left_open(shape: str, seed: int) -> None:
    rng = dice(seed)
    for made in templates(shape, 3, ("prefix", "both", "system", "suffix"), rng):
        text = f"{made.prefix} {made.suffix} {made.system}"
        for slot in LEXICON:
            assert f"{{{slot}}}" not in text


@given(st.text(max_size=300), st.integers(0, 2**32))
def test_a_whole_template_keeps_the_filling_word_for_word(text: str, seed: int) -> None:
    rng = dice(seed)
    for made in templates("reasoning", 2, ("both", "system"), rng):
        assert text in made.fill(Prompt(text), rng).text


def test_word_drop_and_random_prefix_change_the_wording_each_time() -> None:
    rng = dice(1)
    template = Template("one two three four five six", "", None, 0.3, 1.0)
    filled = {template.fill(Prompt("filling"), rng).text for _ in range(20)}
    assert len(filled) == 20
    assert all(text.endswith("\n\nfilling") for text in filled)


def test_a_rubric_grades_an_answer_and_nothing_grows_past_the_limit() -> None:
    long = Prompt("x" * MAX_CHARS)
    graded = compose("rubric", Prompt("task"), Prompt("answer")).text
    assert graded.index("task") < graded.index("answer")
    template = templates("rubric", 1, ("both",), dice(1))[0]
    assert len(compose("rubric", long, long).text) < MAX_CHARS
    assert len(template.fill(long, dice(1)).text) == MAX_CHARS
    assert compose("coding", long, Prompt("y")) == long


def test_people_share_few_words_beyond_popular_questions() -> None:
    rng = dice(4)
    pool = [Prompt(*make("legit-interactive", rng)) for _ in range(200)]
    asked = [interactive(pool, rng).text for _ in range(3000)]
    verbatim = sum(text in {p.text for p in pool} for text in asked) / len(asked)
    assert 0.08 < verbatim < 0.2
    starts = [" ".join(text.split()[:12]) for text in asked]
    assert len(set(starts)) / len(starts) > 0.85


def test_numbers_are_filled_in_their_range() -> None:
    rng = dice(2)
    drawn = {int(expand("{small}", rng)) for _ in range(500)}
    assert drawn == set(range(2, 13))
