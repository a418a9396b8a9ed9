"""The rules: text and secrets are refused, and never repeated."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.rules import (
    CONTENT_FIELDS,
    MAX_FIELD_CHARS,
    SECRET,
    SECRET_STARTS,
    check_record,
    content_key,
    content_schema_field,
    is_content_field,
    rules,
)
from streams.errors import ContentRefused, InvalidRecord

Event = Callable[..., dict[str, Any]]

# Shaped like credentials, made up, and cut in two so that scanners let them pass.
SECRETS = [
    "sk-" + "ant-api03-0123456789abcdefABCDEF",
    "sk_" + "live_0123456789abcdef",
    "ghp_" + "0123456789abcdefABCDEF0123456789abcd",
    "github_" + "pat_0123456789",
    "glpat-" + "0123456789",
    "xoxb-" + "0123456789",
    "AKIA" + "0123456789ABCDEF",
    "AIza" + "0123456789abcdefABCDEF0123456789abc",
    "ya29." + "0123456789",
    "hf_" + "0123456789abcdefABCDEF",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "Bearer " + "0123456789",
    "-----BEGIN" + " PRIVATE KEY-----",
]


@pytest.mark.parametrize("field", rules("RequestEvent").ids)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_an_id_is_refused_and_not_repeated(
    event: Event, field: str, secret: str
) -> None:
    with pytest.raises(ContentRefused, match=rf"\.{field} looks like") as caught:
        check_record("RequestEvent", event(1, **{field: secret}))
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "harmless",
    ["skateboard-7", "sk-short", "ghost", "eyJ", "hf_1", "6f1e2d3c4b5a6978", "AKIA"],
)
def test_an_id_that_only_begins_alike_is_taken(event: Event, harmless: str) -> None:
    check_record("RequestEvent", event(1, account_id=harmless))


@given(st.from_regex(re.compile(rf"\A{SECRET.pattern}")))
def test_every_secret_begins_as_the_columnar_check_expects(secret: str) -> None:
    assert secret.startswith(SECRET_STARTS)


def test_length_is_counted_in_characters(event: Event) -> None:
    check_record("RequestEvent", event(1, client="é" * MAX_FIELD_CHARS))
    with pytest.raises(
        ContentRefused, match=r"RequestEvent\.client is longer than 512"
    ):
        check_record("RequestEvent", event(1, client="é" * (MAX_FIELD_CHARS + 1)))


@pytest.mark.parametrize("kind", [list, tuple])
def test_long_strings_in_lists_are_refused(event: Event, kind: type) -> None:
    reasons = kind(["stop", "x" * (MAX_FIELD_CHARS + 1)])

    with pytest.raises(ContentRefused, match="response_finish_reasons"):
        check_record("RequestEvent", event(1, response_finish_reasons=reasons))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"event_id": ""}, "RequestEvent.event_id is empty"),
        ({"account_id": ""}, "RequestEvent.account_id is empty"),
        ({"occurred_at": -1}, "RequestEvent.occurred_at is before 1970"),
        ({"sketch": b"x"}, "RequestEvent.sketch has 1 bytes, not 88"),
    ],
)
def test_fields_out_of_range_are_invalid(
    event: Event, changes: dict[str, Any], told: str
) -> None:
    check_record("RequestEvent", event(1), sketch_bytes=88)
    with pytest.raises(InvalidRecord, match=told):
        check_record("RequestEvent", event(1, **changes), sketch_bytes=88)


def test_an_absent_sketch_has_no_wrong_size(event: Event) -> None:
    check_record("RequestEvent", event(1, sketch=None), sketch_bytes=88)


@pytest.mark.parametrize("field", sorted(CONTENT_FIELDS))
def test_a_content_field_is_known_in_each_spelling(field: str) -> None:
    assert is_content_field(field)
    assert is_content_field(field.upper())
    assert is_content_field(field.replace("_", "."))
    assert field == "system" or is_content_field(f"gen_ai.{field}")


def test_names_of_numbers_and_models_are_not_content() -> None:
    for name in (
        "output_type",
        "response_model",
        "usage_input_tokens",
        "gen_ai.system",
    ):
        assert not is_content_field(name)


@pytest.mark.parametrize(
    "avro",
    [
        {"type": "array", "items": {"type": "map", "values": "RECORD"}},
        ["null", "RECORD"],
        {"type": "record", "fields": [{"name": "a", "type": "RECORD"}]},
    ],
)
def test_a_content_field_is_found_at_any_depth(avro: Any) -> None:
    record = {"type": "record", "fields": [{"name": "prompt", "type": "string"}]}

    assert content_schema_field(_with(avro, record)) == "prompt"
    assert content_schema_field(_with(avro, "string")) is None


def _with(avro: Any, inner: Any) -> Any:
    if avro == "RECORD":
        return inner
    if isinstance(avro, list):
        return [_with(branch, inner) for branch in avro]
    if isinstance(avro, dict):
        return {key: _with(value, inner) for key, value in avro.items()}
    return avro


def test_a_content_key_is_found_at_any_depth_of_json() -> None:
    assert (
        content_key([{"a": {"gen_ai.input.messages": []}}]) == "gen_ai.input.messages"
    )
    assert content_key({"a": [1, "prompt", None]}) is None
