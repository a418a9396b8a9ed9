from __future__ import annotations

import string
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import decode, schema
from streams.contracts.records import RequestEvent, to_dict
from streams.contracts.rules import CONTENT_FIELDS
from streams.contracts.writers import single_object_header
from streams.errors import ContentRefused, InvalidRecord
from streams.sdk.event_record import event_record

NOW = 1_760_000_000_000
FOREIGN = "the quick brown fox"
MINIMAL: dict[str, Any] = {"account_id": "a-1", "request_model": "m"}

# "z" keeps an id from looking like a raw secret, which is refused.
words = st.text(string.ascii_letters + string.digits, max_size=20).map("z".__add__)
counts = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
events = st.builds(
    RequestEvent,
    event_id=words,
    occurred_at=st.integers(0, 2**62),
    account_id=words,
    request_model=words,
    organization_id=st.none() | words,
    account_created_at=st.none() | counts,
    network=st.none() | words,
    request_temperature=st.none() | floats,
    request_stream=st.none() | st.booleans(),
    response_finish_reasons=st.lists(words, max_size=3).map(tuple),
    usage_output_tokens=st.none() | counts,
    tool_count=counts,
    logprobs=st.booleans(),
    sketch=st.none() | st.binary(max_size=100),
)


def decoded(datum: bytes) -> dict[str, Any]:
    return decode("RequestEvent", single_object_header(schema("RequestEvent")) + datum)


@given(events)
def test_what_is_encoded_is_what_was_reported(event: RequestEvent) -> None:
    record = event_record(event, received_at=NOW)
    reasons = [*event.response_finish_reasons]
    expected = {**to_dict(event), "response_finish_reasons": reasons}
    assert decoded(record.datum) == expected
    assert record.key == event.account_id
    assert record.timestamp == event.occurred_at
    assert record.event_id == event.event_id
    assert event_record(expected, received_at=NOW) == record


def test_a_mapping_without_id_and_time_is_given_them() -> None:
    record = event_record(MINIMAL, received_at=NOW)
    fields = decoded(record.datum)
    assert fields["occurred_at"] == record.timestamp == NOW
    assert uuid.UUID(fields["event_id"]).version == 4
    assert (
        fields["event_id"]
        == record.event_id
        != event_record(MINIMAL, received_at=NOW).event_id
    )
    assert "event_id" not in MINIMAL


def test_the_sketch_of_the_prompt_replaces_the_events_own() -> None:
    event = {**MINIMAL, "sketch": b"old"}
    assert decoded(event_record(event, received_at=NOW).datum)["sketch"] == b"old"
    record = event_record(event, received_at=NOW, sketch=b"new")
    assert decoded(record.datum)["sketch"] == b"new"


@pytest.mark.parametrize("field", sorted(CONTENT_FIELDS))
def test_a_field_for_text_is_refused_and_its_text_not_repeated(field: str) -> None:
    for name in (field, field.upper()):
        with pytest.raises(ContentRefused) as caught:
            event_record({**MINIMAL, name: FOREIGN}, received_at=NOW)
        assert FOREIGN not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({FOREIGN: 1}, InvalidRecord),
        ({"account_id": None}, InvalidRecord),
        ({"account_id": ""}, InvalidRecord),
        ({"request_model": 7}, InvalidRecord),
        ({"occurred_at": -1}, InvalidRecord),
        ({"tool_count": FOREIGN}, InvalidRecord),
        ({"client": FOREIGN * 30}, ContentRefused),
        ({"response_finish_reasons": (FOREIGN * 30,)}, ContentRefused),
        ({"api_key_id": "sk-0123456789abcdefghij"}, ContentRefused),
    ],
)
def test_a_misfit_is_refused_without_its_value(
    change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        event_record({**MINIMAL, **change}, received_at=NOW)
    assert FOREIGN not in str(caught.value)
    assert "0123456789" not in str(caught.value)
