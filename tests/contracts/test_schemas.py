"""Schemas: found everywhere, versions kept, fingerprints as Apache Avro's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import avro.schema
import pytest
from avro.compatibility import (
    ReaderWriterCompatibilityChecker,
    SchemaCompatibilityType,
)

from streams.contracts.rules import content_schema_field
from streams.contracts.schemas import (
    fingerprint,
    physical,
    schema,
    schema_names,
    versions,
)
from streams.contracts.topics import load_topics
from streams.errors import SchemaNotFound

ROOT = Path(__file__).parents[2]
NAMES = schema_names()
KEPT = [(name, number) for name in NAMES for number in versions(name)]
COMPATIBILITY = {topic.value: topic.compatibility for topic in load_topics().values()}


def test_every_schema_file_is_listed() -> None:
    files = {path.stem for path in (ROOT / "schemas").glob("*.avsc")}

    assert set(NAMES) == files
    assert "RequestEvent" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_present_schema_is_the_newest_version(name: str) -> None:
    kept = versions(name)

    assert list(kept) == list(range(1, len(kept) + 1))
    assert kept[len(kept)] == schema(name)


@pytest.mark.parametrize("name", NAMES)
def test_no_shipped_schema_has_a_field_for_text(name: str) -> None:
    assert content_schema_field(schema(name)) is None


@pytest.mark.parametrize(("name", "number"), KEPT)
def test_fingerprints_are_those_of_apache_avro(name: str, number: int) -> None:
    version = versions(name)[number]
    # Of the physical schema: avro 1.12 for Python writes {"type": "long"} for a
    # logical type into the canonical form, where rule PRIMITIVES asks for "long".
    referee = avro.schema.parse(json.dumps(physical(version)))

    assert fingerprint(version) == referee.fingerprint("CRC-64-AVRO")


def test_defaults_docs_and_logical_types_do_not_change_a_fingerprint() -> None:
    assert fingerprint(schema("Action")) == fingerprint(physical(schema("Action")))
    assert "logicalType" not in json.dumps(physical(schema("Action")))
    assert "default" not in json.dumps(physical(schema("Action")))


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(SchemaNotFound, match=r"'Nothing'.*RequestEvent"):
        schema("Nothing")
    with pytest.raises(SchemaNotFound, match="'Nothing'"):
        versions("Nothing")


def test_a_schema_given_away_cannot_change_the_next() -> None:
    schema("Ack")["fields"].clear()

    assert schema("Ack")["fields"]


def compatible(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    checker: Any = ReaderWriterCompatibilityChecker
    result = checker().get_compatibility(
        avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer))
    )
    return result.compatibility is SchemaCompatibilityType.compatible


@pytest.mark.parametrize(("name", "number"), KEPT)
def test_the_present_schema_reads_every_kept_version(name: str, number: int) -> None:
    assert COMPATIBILITY[name] in ("BACKWARD_TRANSITIVE", "FULL_TRANSITIVE")
    assert compatible(schema(name), versions(name)[number])


@pytest.mark.parametrize(
    ("name", "number"),
    [kept for kept in KEPT if COMPATIBILITY[kept[0]] == "FULL_TRANSITIVE"],
)
def test_kept_versions_read_the_present_schema_where_the_topic_says_so(
    name: str, number: int
) -> None:
    assert compatible(versions(name)[number], schema(name))


def test_the_compatibility_checker_would_see_a_break() -> None:
    broken = schema("Ack")
    broken["fields"].append({"name": "added", "type": "string"})

    assert not compatible(broken, schema("Ack"))
    assert compatible(schema("Ack"), broken)


@pytest.fixture(scope="module")
def wheel_contents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(  # noqa: S603  our own interpreter and arguments
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


PROBE = """
import json, streams
from streams.contracts.schemas import schema_folder, schema_names, versions
from streams.contracts.topics import load_topics
names = {name: sorted(versions(name)) for name in schema_names()}
print(json.dumps([streams.__file__, str(schema_folder()), names, list(load_topics())]))
"""


def test_an_installed_wheel_carries_schemas_versions_and_topics(
    wheel_contents: Path, tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: S603  our own interpreter and arguments
        [sys.executable, "-c", PROBE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel_contents)},
        check=True,
        capture_output=True,
        text=True,
    )
    package, folder, names, topics = json.loads(done.stdout)

    assert Path(package).is_relative_to(wheel_contents)
    assert Path(folder) == wheel_contents / "streams" / "_schemas"
    assert names == {name: sorted(versions(name)) for name in NAMES}
    assert topics == list(load_topics())
