from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bus.cloudevents import CloudEvent, headers, parse
from streams.errors import InvalidRecord

LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999, the last that RFC 3339 has
TEXT = st.text(st.characters(codec="utf-8"), min_size=1)
GOOD = headers("a1", "llm.action", "distillwatch", 1_767_225_600_123)


@given(TEXT, TEXT, TEXT, st.integers(0, LAST_MILLISECOND))
def test_parse_gives_back_what_headers_took(
    event_id: str, event_type: str, source: str, time_ms: int
) -> None:
    event = CloudEvent(event_id, event_type, source, time_ms)
    assert parse(headers(event_id, event_type, source, time_ms)) == event


def test_headers_are_those_of_the_kafka_binding() -> None:
    assert GOOD == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"a1"),
        ("ce_type", b"llm.action"),
        ("ce_source", b"distillwatch"),
        ("ce_time", b"2026-01-01T00:00:00.123Z"),
        ("content-type", b"application/avro"),
    ]


@given(st.integers(-62_135_596_800_000, LAST_MILLISECOND))
def test_times_are_those_of_the_calendar(time_ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    written = dict(headers("a", "t", "s", time_ms))["ce_time"].decode()
    assert written == f"{moment.replace(tzinfo=None).isoformat('T', 'milliseconds')}Z"


@pytest.mark.parametrize("time_ms", [LAST_MILLISECOND + 1, 2**62])
def test_a_time_that_no_calendar_has_overflows(time_ms: int) -> None:
    with pytest.raises(OverflowError):
        headers("a", "t", "s", time_ms)


@pytest.mark.parametrize(
    ("written", "time_ms"),
    [
        (b"1970-01-01T01:00:00+01:00", 0),
        (b"1970-01-01T00:00:00.9999Z", 999),
        (b"2026-01-01t00:00:00z", 1_767_225_600_000),
    ],
)
def test_times_of_other_writers_are_read(written: bytes, time_ms: int) -> None:
    assert parse([*GOOD, ("ce_time", written)]).time_ms == time_ms


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_type", "ce_time"])
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(InvalidRecord, match=f"header {name} is missing"):
        parse([header for header in GOOD if header[0] != name])


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        (("ce_specversion", b"0.3"), "ce_specversion is '0.3'"),
        (("ce_time", b"yesterday"), "ce_time is no RFC 3339 time"),
        (("ce_time", b"2026-01-01T00:00:00"), "ce_time is no RFC 3339 time"),
        (("ce_id", b"\xff"), "ce_id is not UTF-8"),
    ],
)
def test_a_malformed_attribute_is_named(
    header: tuple[str, bytes], complaint: str
) -> None:
    with pytest.raises(InvalidRecord, match=complaint):
        parse([*GOOD, header])
