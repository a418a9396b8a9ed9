from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.sdk.crowdsec.api_keys import ApiKeys, api_key_line, new_api_key


def test_bouncers_are_known_by_their_keys(tmp_path: Path) -> None:
    lines = [api_key_line("edge-1"), "# a comment", "", api_key_line("edge-2")]
    file = tmp_path / "keys"
    file.write_text("\n".join(lines) + "\n")
    keys = ApiKeys.from_file(file)
    for line in (lines[0], lines[3]):
        name, _, key = line.partition(":")
        assert keys.name_of(key) == name
        assert keys.name_of(key[:-1]) is None
        assert key not in repr(keys)
        assert not any(key.encode() in each for each in keys._digests.values())
    assert keys.name_of("") is None
    assert keys.name_of("caf\xe9") is None
    assert repr(keys) == "ApiKeys(edge-1, edge-2)"


def test_keys_are_long_and_different() -> None:
    keys = {new_api_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {43}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no key; add one with: distillwatch bridge key NAME"),
        ("edge:short-secret", ":1: the key of edge is shorter than 16 characters"),
        ("# c\nbad name:0123456789abcdef", ":2: a line is name:key"),
        ("short-secret", ":1: a line is name:key, the name without spaces$"),
        ("a:0123456789abcdef\na:0123456789abcdeg", ":2: a has a key in line 1"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_without_the_key(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told) as raised:
        ApiKeys.from_file(file)
    assert "short-secret" not in str(raised.value)
    assert "abcdeg" not in str(raised.value)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="distillwatch bridge key NAME >> "):
        ApiKeys.from_file(tmp_path / "none")


def test_a_name_that_would_break_the_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="a:b is no name"):
        api_key_line("a:b")
