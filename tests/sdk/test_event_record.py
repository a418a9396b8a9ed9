from __future__ import annotations

import itertools
import string
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import decode, schema
from streams.contracts.records import RequestEvent, to_dict
from streams.contracts.rules import CONTENT_FIELDS
from streams.contracts.writers import single_object_header
from streams.errors import ContentRefused, InvalidRecord
from streams.sdk.event_record import event_ids, event_records, sketches
from streams.sketch import Sketcher

NOW = 1_760_000_000_000
FOREIGN = "the quick brown fox"
IDS = event_ids()
FRAMING = single_object_header(schema("RequestEvent"))
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


class Sent(NamedTuple):
    value: bytes
    key: str
    timestamp: int
    event_id: str


def event_record(event: Any, sketch: bytes | None = None) -> Sent:
    accepted = event if isinstance(event, RequestEvent) else dict(event)
    (record,) = event_records([(accepted, NOW, sketch)], IDS, framing=FRAMING)
    if isinstance(record, Exception):
        raise record
    return Sent(*record)


def decoded(value: bytes) -> dict[str, Any]:
    return decode("RequestEvent", value)


@given(events)
def test_what_is_encoded_is_what_was_reported(event: RequestEvent) -> None:
    record = event_record(event)
    reasons = [*event.response_finish_reasons]
    expected = {**to_dict(event), "response_finish_reasons": reasons}
    assert decoded(record.value) == expected
    assert record.key == event.account_id
    assert record.timestamp == event.occurred_at
    assert record.event_id == event.event_id
    assert event_record(expected) == record


def test_a_mapping_without_id_and_time_is_given_them() -> None:
    record = event_record(MINIMAL)
    fields = decoded(record.value)
    assert fields["occurred_at"] == record.timestamp == NOW
    other = event_record(MINIMAL)
    assert fields["event_id"] == record.event_id != other.event_id


def test_the_sketch_of_the_prompt_replaces_the_events_own() -> None:
    event = {**MINIMAL, "sketch": b"old"}
    assert decoded(event_record(event).value)["sketch"] == b"old"
    record = event_record(event, b"new")
    assert decoded(record.value)["sketch"] == b"new"


@pytest.mark.parametrize("field", sorted(CONTENT_FIELDS))
def test_a_field_for_text_is_refused_and_its_text_not_repeated(field: str) -> None:
    for name in (field, field.upper()):
        with pytest.raises(ContentRefused) as caught:
            event_record({**MINIMAL, name: FOREIGN})
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
        event_record({**MINIMAL, **change})
    assert FOREIGN not in str(caught.value)
    assert "0123456789" not in str(caught.value)


def test_ids_do_not_repeat_and_look_alike() -> None:
    ids = [each for _ in range(50) for each in itertools.islice(event_ids(), 100)]
    assert len(set(ids)) == len(ids) == 5000
    assert all(len(each) == 32 and set(each) <= set(string.hexdigits) for each in ids)


SKETCHER = Sketcher(bytes(range(32)), "test")
TOOLS = [{"name": "f"}]


@pytest.mark.parametrize("misfit", [("text", None, 3, None), (5, None, None, None)])
def test_a_prompt_that_cannot_be_sketched_costs_the_others_nothing(
    misfit: tuple[Any, ...],
) -> None:
    good = [("one", "system", TOOLS, ["turn"]), ("two", None, None, None)]
    expected = [
        bytes(SKETCHER.sketch(prompt, system=system, tools=tools, turns=turns))
        for prompt, system, tools, turns in good
    ]
    assert sketches(SKETCHER, good) == expected
    first, error, second = sketches(SKETCHER, [good[0], misfit, good[1]])
    assert [first, second] == expected
    assert isinstance(error, TypeError | AttributeError)
    assert sketches(SKETCHER, []) == ()
