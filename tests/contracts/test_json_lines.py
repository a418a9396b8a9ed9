from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.json_lines import json_lines
from streams.errors import ConfigError, InvalidRecord

VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
OBJECTS = st.lists(st.dictionaries(st.text(), VALUES), max_size=5)


@given(OBJECTS)
def test_each_line_comes_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "objects.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in objects))
    places = [f"{path}:{number}" for number in range(1, len(objects) + 1)]
    assert list(json_lines(path)) == list(zip(places, objects, strict=True))


@pytest.mark.parametrize("line", ["[1]", "{", "", "\udcff"])
def test_a_line_that_is_no_object_is_named_without_its_content(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "objects.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line.encode(errors="surrogateescape") + b"\n")
    lines = json_lines(path)
    assert next(lines) == (f"{path}:1", {"a": 1})
    with pytest.raises(InvalidRecord, match=rf"^{re.escape(str(path))}:2 is no JSON"):
        next(lines)


def test_a_missing_file_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="distillwatch replay writes it"):
        next(json_lines(tmp_path / "none.jsonl"))
