"""A registry is brought in line with the shipped schemas, and stays so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apicurio import Apicurio

from streams.bus.schema_registry import SchemaRegistry
from streams.bus.subjects import check_schemas, register_schemas
from streams.contracts import fingerprint, load_topics, schema
from streams.errors import RegistryUnavailable, SchemaMismatch


@pytest.fixture
def empty(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[Apicurio]:
    """Start a registry of the test's own, since subjects cannot be taken back."""
    (port,) = free_ports(1)
    with Apicurio(port, tmp_path) as registry:
        yield registry


def test_registers_each_topics_record_once_at_its_compatibility(
    empty: Apicurio,
) -> None:
    missing = check_schemas(empty.url)
    records = {f"{t.name}-value": t for t in load_topics().values() if t.value}
    assert [subject.name for subject in missing] == [*records]
    assert {(s.schema_id, s.found, s.in_line) for s in missing} == {(None, None, False)}

    subjects = register_schemas(empty.url)
    resolve = SchemaRegistry(empty.url)
    for subject in subjects:
        topic = records[subject.name]
        assert subject.in_line
        assert subject.found == topic.compatibility
        assert subject.record == topic.value
        assert subject.schema_id is not None
        found = resolve(subject.schema_id)
        assert fingerprint(found) == fingerprint(schema(subject.record))
    assert register_schemas(empty.url) == subjects == check_schemas(empty.url)

    empty.client.set_compatibility("llm.requests-value", "NONE")
    assert [s.name for s in check_schemas(empty.url) if not s.in_line] == [
        "llm.requests-value"
    ]
    assert register_schemas(empty.url) == subjects


def test_a_subject_of_another_product_is_not_taken_over(empty: Apicurio) -> None:
    stranger = {"type": "record", "name": "Stranger", "fields": []}
    stranger["fields"] = [{"name": "id", "type": "long"}]
    empty.register("llm.requests-value", json.dumps(stranger))
    empty.client.set_compatibility("llm.requests-value", "BACKWARD")
    with pytest.raises(SchemaMismatch, match=r"llm\.requests-value at .* RequestEvent"):
        register_schemas(empty.url)
    assert not check_schemas(empty.url)[0].in_line


def test_without_a_registry_it_says_so() -> None:
    for call in (register_schemas, check_schemas):
        with pytest.raises(
            RegistryUnavailable, match=r"http://127\.0\.0\.1:1 does not"
        ):
            call("http://127.0.0.1:1")
