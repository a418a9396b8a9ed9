from __future__ import annotations

import fastavro
import pytest

from streams.bus.dead_letters import HEADER_PREFIX, dead_letter_headers
from streams.errors import ContentRefused, ContractError, UndecodableRecord


def test_headers_are_those_of_kafka_connect_as_text() -> None:
    error = UndecodableRecord("llm.requests[3]@42: ends within field 'status_code'")
    headers = dead_letter_headers("llm.requests", 3, 42, error, stage="decode")
    assert headers == [
        ("__connect.errors.topic", b"llm.requests"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"42"),
        ("__connect.errors.connector.name", b"distillwatch"),
        ("__connect.errors.task.id", b"3"),
        ("__connect.errors.stage", b"decode"),
        ("__connect.errors.class.name", b"streams.errors"),
        (
            "__connect.errors.exception.class.name",
            b"streams.errors.UndecodableRecord",
        ),
        ("__connect.errors.exception.message", str(error).encode()),
    ]


def test_class_name_is_the_module_that_raised_it() -> None:
    with pytest.raises(ContractError) as raised:
        _refuse()
    headers = dict(dead_letter_headers("t", 0, 0, raised.value, stage="decode"))
    assert headers[f"{HEADER_PREFIX}class.name"] == __name__.encode()


def test_the_cause_stays_out_since_it_may_repeat_content() -> None:
    with pytest.raises(ContractError) as raised:
        _refuse()
    headers = dead_letter_headers("t", 0, 0, raised.value, stage="decode")
    assert raised.value.__cause__ is not None
    assert "secret" in str(raised.value.__cause__)
    assert not any(b"secret" in value for _, value in headers)


def _refuse() -> None:
    try:
        fastavro.parse_schema({"type": "secret prompt"})
    except fastavro.schema.UnknownType as error:
        raise ContentRefused("t[0]@0: carries prompt or output text") from error
