"""One pass gives what fastavro and the rules give, or raises what they raise."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts.codec import encode_datum
from streams.contracts.field_encoders import FieldEncoders
from streams.contracts.row_encoder import RowEncoder
from streams.contracts.rules import check_record, rules
from streams.contracts.schemas import schema
from streams.errors import ContractError, InvalidRecord

NAME = "RequestEvent"
FIELDS = [field["name"] for field in schema(NAME)["fields"]]
MINIMAL = {"occurred_at": 1, "account_id": "a", "request_model": "m"}
ENCODE = RowEncoder(NAME, direct=("event_id", "occurred_at", "payment"))
Records = Callable[[str], st.SearchStrategy[Any]]
Event = Callable[..., dict[str, Any]]


class Word(str):
    """A string that is not plain."""

    __slots__ = ()


class Model(enum.StrEnum):
    """What a gateway may keep its models in."""

    LARGE = "model-large"


# Pairs that are equal and hash alike, though Avro writes or judges them differently.
ALIKE = (0, False, 0.0, -0.0, 1, True, 1.0, np.int64(1), np.float64(1.0), np.bool_(1))
SHORT = ("", "a", "stop", Word("stop"), Model.LARGE, "model-large", b"stop", "\ud800")
LONG = (
    "x" * 512,
    "é" * 512,
    "步" * 512,
    "步" * 513,
    "x" * 513,
    "é" * 513,
    "sk-" + "0123456789abcdefghij",
    "skate",
    "ä",
)
NUMBERS = (2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 8191, 8192, -1, 10**400)
ODD: tuple[Any, ...] = (
    None,
    (),
    [],
    ("stop",),
    ["stop", "x"],
    [1],
    [None],
    {},
    bytearray(b"x"),
    "12",
)
anything = (
    st.sampled_from((*ALIKE, *SHORT, *LONG, *NUMBERS, *ODD))
    | st.text(st.characters(codec=None), max_size=8)
    | st.integers()
    | st.floats()
    | st.binary(max_size=200)
    | st.lists(st.text(max_size=3), max_size=3)
)


def plain(record: Mapping[str, Any]) -> bytes:
    datum = encode_datum(NAME, record)
    check_record(NAME, record)
    return datum


def outcome(encode: Callable[[dict[str, Any]], bytes], record: dict[str, Any]) -> Any:
    try:
        return encode(record)
    except ContractError as error:
        return type(error), str(error)


@given(data=st.data())
def test_good_records_are_encoded_as_ever(
    records: Records, data: st.DataObject
) -> None:
    record = data.draw(records(NAME))
    assert outcome(ENCODE, record) == outcome(plain, record)


@given(st.dictionaries(st.sampled_from([*FIELDS, "prompt", "x"]), anything))
@example({"request_seed": 1})
@example({"request_seed": True})
@example({"request_temperature": -0.0})
@example({"request_stream": 1})
@example({"client": None, "request_model": None})
def test_whatever_a_field_holds_bytes_and_errors_are_as_ever(
    event: Event, changes: dict[str, Any]
) -> None:
    record = event(1, **changes)
    assert outcome(ENCODE, record) == outcome(plain, record)


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_judges_each_value_as_ever(event: Event, field: str) -> None:
    for value in (*ALIKE, *SHORT, *LONG, *NUMBERS, *ODD):
        record = event(1, **{field: value})
        assert outcome(ENCODE, record) == outcome(plain, record), value


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_takes_its_default_or_is_told(event: Event, field: str) -> None:
    record = event(1)
    record.pop(field, None)
    assert outcome(ENCODE, record) == outcome(plain, record)


@given(
    st.lists(
        st.sampled_from(["good", "short", "turned", "odd", "wrong", "unknown"]),
        max_size=40,
    )
)
def test_many_gives_what_each_gives(event: Event, kinds: list[str]) -> None:
    def made(place: int, kind: str) -> dict[str, Any]:
        match kind:
            case "short":
                return {**MINIMAL, "event_id": f"{place}"}
            case "turned":
                return dict(reversed(event(place).items()))
            case "odd":
                return event(place, usage_output_tokens=np.int64(place))
            case "wrong":
                return event(place, client=place)
            case "unknown":
                return event(place, prompt="x")
        return event(place)

    records = [made(place, kind) for place, kind in enumerate(kinds)]
    many = [
        (type(each), str(each)) if isinstance(each, Exception) else each
        for each in ENCODE.many(records, framing=b"head")
    ]
    assert many == [
        outcome(lambda each: b"head" + plain(each), record) for record in records
    ]


@pytest.mark.parametrize("field", FIELDS)
def test_a_column_of_whatever_values_is_encoded_as_ever(
    event: Event, field: str
) -> None:
    values = (*ALIKE, *SHORT, *LONG, *NUMBERS, *ODD)
    columns = [list(values), *([value] * 5 for value in values)]
    columns += [[None, value] * 3 for value in values]
    for column in columns:
        records = [event(1, **{field: value}) for value in column]
        many = [
            (type(each), str(each)) if isinstance(each, Exception) else each
            for each in ENCODE.many(records)
        ]
        assert many == [outcome(plain, record) for record in records], column


@given(st.lists(st.integers(0, 2**63 - 1), min_size=4))
def test_times_of_any_size_are_encoded_as_ever(times: list[int]) -> None:
    records = [{**MINIMAL, "event_id": "e", "occurred_at": time} for time in times]
    assert ENCODE.many(records) == [outcome(plain, record) for record in records]


def test_one_misfit_among_many_leaves_the_others_as_they_are(event: Event) -> None:
    records = [event(place) for place in range(1000)]
    records[333]["account_id"] = ""
    many = ENCODE.many(records)
    assert isinstance(many[333], InvalidRecord)
    assert [each for each in many if isinstance(each, bytes)] == [
        plain(record) for record in records if record["account_id"]
    ]


def test_the_order_of_the_fields_does_not_matter(event: Event) -> None:
    record = event(1)
    assert ENCODE(dict(reversed(record.items()))) == plain(record)


def test_ordinary_events_never_take_the_long_way(
    event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [plain(event(place)) for place in range(50)]

    def unexpected(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr("streams.contracts.row_encoder.encode_datum", unexpected)
    assert [ENCODE(event(place)) for place in range(50)] == expected


def test_more_values_than_a_table_holds_are_encoded_as_ever(event: Event) -> None:
    encode = RowEncoder(NAME)
    for place in range(40_000):
        encode(event(place, client=f"client-{place}", usage_input_tokens=place))
    tables = {
        id(table): table
        for table in (getattr(each, "__self__", None) for each in encode._encoders)
        if table is not None
    }
    assert tables
    assert all(len(table) <= 16_384 for table in tables.values())
    record = event(1, client="client-1", payment=None)
    assert encode(record) == plain(record)


@pytest.mark.parametrize("avro", ["float", ["string", "long"], {"type": "map"}])
def test_a_field_of_another_type_is_named(avro: Any) -> None:
    encoders = FieldEncoders(rules(NAME), frozenset())
    with pytest.raises(ContractError, match="field odd is of type"):
        encoders.of_field("odd", avro)


def test_a_schema_with_such_a_field_has_no_row_encoder() -> None:
    with pytest.raises(ContractError, match="field kind is of type"):
        RowEncoder("Decision")
