"""Canonical tool definitions."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.sketch.tools import canonical_tools

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
tool = st.dictionaries(st.text(max_size=5), values, min_size=1, max_size=4)


@given(st.lists(tool, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_order_and_form_make_no_difference(tools: list[Any], rng: Any) -> None:
    shuffled = [dict(rng.sample(list(t.items()), len(t))) for t in tools]
    rng.shuffle(shuffled)
    wanted = canonical_tools(tools)
    assert canonical_tools(shuffled) == wanted
    assert canonical_tools(json.dumps(shuffled, indent=2)) == wanted
    assert canonical_tools([json.dumps(t) for t in shuffled]) == wanted


@given(tool, tool)
def test_different_tools_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical_tools([one]) == canonical_tools([other])) == same


def test_none_and_text_that_is_no_json() -> None:
    assert canonical_tools(None) == canonical_tools("") == canonical_tools([]) == b""
    assert canonical_tools("{broken") == b'"{broken"'


def test_what_json_cannot_hold_is_still_the_same_every_time() -> None:
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for hostile in (cycle, deep, {1: "a", "b": 2}):
        assert canonical_tools([hostile]) == canonical_tools([hostile])
    assert canonical_tools([object()]) == b'"object"'
    assert canonical_tools("[" * 100_000) == b'"' + b"[" * 100_000 + b'"'
