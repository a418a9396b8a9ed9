"""Records of every schema, drawn from the schema itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from streams.contracts.rules import rules
from streams.contracts.schemas import physical, schema

Strategy = st.SearchStrategy[Any]

_INTS = st.integers(-(2**31), 2**31 - 1)
# Powers of two and their neighbours: where a varint gets longer.
_LONGS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.builds(
        lambda power, delta, sign: sign * (2**power + delta),
        st.integers(0, 62),
        st.integers(-1, 0),
        st.sampled_from([-1, 1]),
    ),
)
_TEXTS = st.text(max_size=70)
_PRIMITIVES: dict[str, Strategy] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": _INTS,
    "long": _LONGS,
    "float": st.floats(width=32),
    "double": st.floats(),
    "bytes": st.binary(max_size=150),
    "string": _TEXTS,
}


def of_type(avro: Any) -> Strategy:
    """Values of a physical type."""
    match avro:
        case str():
            return _PRIMITIVES[avro]
        case list():
            return st.one_of(*map(of_type, avro))
        case {"type": "enum", "symbols": symbols}:
            return st.sampled_from(symbols)
        case {"type": "array", "items": items}:
            return st.lists(of_type(items), max_size=4)
        case {"type": "map", "values": values}:
            return st.dictionaries(_TEXTS, of_type(values), max_size=3)
        case {"type": "record", "fields": fields}:
            return st.fixed_dictionaries(
                {f["name"]: of_type(f["type"]) for f in fields}
            )
    raise AssertionError(avro)


def good_records(name: str) -> Strategy:
    """Whole records that keep the rules."""
    rule = rules(name)
    fields = {f["name"]: of_type(f["type"]) for f in physical(schema(name))["fields"]}
    fields |= dict.fromkeys(rule.times, st.integers(0, 2**45))
    fields |= dict.fromkeys(rule.required, st.text(min_size=1, max_size=40))
    return st.fixed_dictionaries(fields)


@pytest.fixture(scope="session")
def records() -> Callable[[str], Strategy]:
    """A strategy for the good records of a schema, by its name."""
    return good_records


def _event(place: int, **changes: Any) -> dict[str, Any]:
    return {
        "event_id": f"event-{place:016x}",
        "occurred_at": 1_760_000_000_000 + place,
        "account_id": f"account-{place % 97:024x}",
        "network": "6f1e2d3c4b5a6978",
        "request_model": "model-large",
        "request_max_tokens": 1024,
        "request_stream": True,
        "response_finish_reasons": ["stop"],
        "usage_output_tokens": 900,
        "sketch": bytes(range(88)),
        **changes,
    }


@pytest.fixture(scope="session")
def event() -> Callable[..., dict[str, Any]]:
    """One ordinary RequestEvent by its place, with changes."""
    return _event
