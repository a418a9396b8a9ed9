from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cli.listings import print_json, print_rows, span_text


def test_an_id_is_not_cut_and_brackets_are_no_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    subject = "organization:" + "0123456789abcdef" * 5
    print_rows(("subject", "why"), [(subject, "[red]a[/] " + "word " * 60)])
    out = capsys.readouterr().out
    assert subject in out
    assert "[red]a[/]" in out
    assert "word" in out


def test_what_would_move_the_cursor_is_replaced_and_line_breaks_stay_in_their_cell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows(("a", "b"), [("x\x1b[2J", "one\ntwo")], title="Title")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    one, two = (line for line in out.splitlines() if "one" in line or "two" in line)
    assert "x\N{REPLACEMENT CHARACTER}[2J" in one
    assert len(one) == len(two)
    assert out.startswith("Title")


def test_json_is_what_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"subject": "account:1", "expires_at": None, "n": 1.5}]
    print_json(rows)
    assert json.loads(capsys.readouterr().out) == rows


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_span_is_never_told_longer_than_a_longer_one(one: int, other: int) -> None:
    def seconds(text: str) -> int:
        sizes = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
        words = text.split()
        return sum(
            int(n) * sizes[unit]
            for n, unit in zip(words[::2], words[1::2], strict=True)
        )

    short, long = sorted((one, other))
    assert seconds(span_text(short)) <= seconds(span_text(long))
    assert 0 <= long / 1000 - seconds(span_text(long)) < 3600
