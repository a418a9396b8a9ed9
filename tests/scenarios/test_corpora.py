from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from streams.errors import CorpusNotFound, ScenarioError
from streams.scenarios.corpora import MAX_CHARS, Corpora


def write(path: Path, *lines: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize(
    "place", ["prompts/a.jsonl.gz", "a.jsonl.gz", "a.jsonl", "prompts/a.jsonl"]
)
def test_both_layouts_are_read(tmp_path: Path, place: str) -> None:
    line = {"role": "legit-bulk", "id": "1", "text": "hello", "resp_chars": 3}
    write(tmp_path / place, line)
    assert [p.text for p in Corpora.read(tmp_path, 1).pool(["legit-bulk"])] == ["hello"]


def test_roles_go_by_exact_name_then_prefix_then_the_next_one(tmp_path: Path) -> None:
    write(
        tmp_path / "x.jsonl.gz",
        {"role": "campaign-a", "corpus": "1", "text": "a"},
        {"role": "campaign-a-seed", "corpus": "2", "text": "a seed"},
        {"role": "campaign-b-seed", "corpus": "3", "text": "b seed"},
    )
    corpora = Corpora.read(tmp_path, 1)

    def texts(*roles: str) -> list[str]:
        return [prompt.text for prompt in corpora.pool(roles)]

    assert texts("campaign-a") == ["a"]
    assert texts("campaign-b") == ["b seed"]
    assert texts("campaign-c", "campaign-") == ["a", "a seed", "b seed"]
    assert texts("campaign-a+campaign-b") == ["a", "b seed"]
    assert len(corpora.sets(["campaign-"])) == 3


def test_a_role_that_no_corpus_has_is_made_up_with_variety(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", {"role": "legit-bulk", "text": "t"})
    corpora = Corpora.read(tmp_path, 1)
    made = corpora.pool(["campaign-tooluse+campaign-coding"])
    assert len({prompt.text for prompt in made}) > 4000
    assert made == Corpora.generated(1).pool(["campaign-tooluse+campaign-coding"])
    assert made != Corpora.generated(2).pool(["campaign-tooluse+campaign-coding"])
    assert any(not p.text.isascii() for p in corpora.pool(["legit-interactive"]))


def test_long_prompts_are_cut_and_turns_kept(tmp_path: Path) -> None:
    line = {"role": "r", "text": "x" * 99_999, "system": "s" * 99_999, "turns": ["x"]}
    write(tmp_path / "x.jsonl.gz", line)
    (prompt,) = Corpora.read(tmp_path, 1).pool(["r"])
    assert len(prompt.text) == MAX_CHARS
    assert prompt.system is not None
    assert len(prompt.system) == MAX_CHARS
    assert prompt.turns == ("x",)


def test_a_folder_without_prompts_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFound, match=str(tmp_path / "prompts")):
        Corpora.read(tmp_path, 1)


@pytest.mark.parametrize(
    "line", [b'{"role": "r", "text": 7}', b"{", b'{"role": "r", "text": "secret\xff"}']
)
def test_a_malformed_line_is_named_without_its_text(
    tmp_path: Path, line: bytes
) -> None:
    good = b'{"role": "r", "text": "fine"}'
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(good + b"\n\n" + line + b"\n"))
    with pytest.raises(ScenarioError, match=r"x\.jsonl\.gz:3: ") as caught:
        Corpora.read(tmp_path, 1)
    assert "secret" not in str(caught.value)


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"role": "r", "text": "fine"}\n' * 100)
    (tmp_path / "x.jsonl.gz").write_bytes(whole[:-12])
    with pytest.raises(ScenarioError, match=r"x\.jsonl\.gz"):
        Corpora.read(tmp_path, 1)


def test_long_few_shot_prompts_stay_apart(tmp_path: Path) -> None:
    examples = "Question: what is one and one?\nAnswer: two\n" * 300
    texts = [f"{examples}Question: what is {n} and {n}?" for n in range(4)]
    lines = [{"role": "campaign-cot", "text": text} for text in texts]
    write(tmp_path / "few_shot.jsonl", *lines)
    (read,) = Corpora.read(tmp_path, 1).sets(("campaign-cot",))
    assert [prompt.text for prompt in read] == texts
