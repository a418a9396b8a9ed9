"""Containers: what is written comes back, and the datums are those of the codec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import decode, encode
from streams.contracts.containers import iter_datums, read_container, write_container
from streams.contracts.projection import records_of_frame
from streams.contracts.schemas import schema, schema_names
from streams.errors import ContentRefused, InvalidRecord, UndecodableRecord

Records = Callable[[str], st.SearchStrategy[Any]]
Event = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("codec", ["null", "deflate"])
@pytest.mark.parametrize("name", schema_names())
@settings(max_examples=10)
@given(data=st.data())
def test_datums_are_the_bytes_the_codec_writes(
    name: str,
    codec: str,
    records: Records,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("container") / "records.avro"
    drawn = data.draw(st.lists(records(name), max_size=6))

    assert write_container(path, name, drawn, codec=codec) == len(drawn)
    assert list(iter_datums(path)) == [encode(name, record) for record in drawn]


def test_frames_of_many_blocks_come_back_in_order(event: Event, tmp_path: Path) -> None:
    path, again = tmp_path / "events.avro", tmp_path / "again.avro"
    events = [event(place) for place in range(10_000)]
    write_container(path, "RequestEvent", events)
    frames = list(read_container(path))
    ids = [event_id for frame in frames for event_id in frame["event_id"]]

    assert len(frames) > 1
    assert ids == [one["event_id"] for one in events]
    assert write_container(again, "RequestEvent", frames) == len(events)
    assert again.stat().st_size == path.stat().st_size
    assert list(iter_datums(again)) == list(iter_datums(path))


def test_small_blocks_of_another_writer_are_read(event: Event, tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    whole = [
        decode("RequestEvent", encode("RequestEvent", event(n))) for n in range(99)
    ]
    with path.open("wb") as file:
        parsed = fastavro.parse_schema(schema("RequestEvent"))
        fastavro.writer(file, parsed, whole, sync_interval=200)
    (frame,) = read_container(path)

    assert list(records_of_frame("RequestEvent", frame)) == whole


def test_other_readers_see_times_as_times(event: Event, tmp_path: Path) -> None:
    path = tmp_path / "events.avro"
    write_container(path, "RequestEvent", [event(0)])
    with path.open("rb") as file:
        (record,) = fastavro.reader(file)

    assert isinstance(record, dict)
    assert record["occurred_at"].isoformat() == "2025-10-09T08:53:20+00:00"


def test_a_record_that_does_not_fit_leaves_no_file(
    event: Event, tmp_path: Path
) -> None:
    path = tmp_path / "events.avro"

    with pytest.raises(
        InvalidRecord, match=r"events\.avro, record 1: field 'event_id'"
    ):
        write_container(path, "RequestEvent", [event(0), event(1, event_id=None)])
    assert list(tmp_path.iterdir()) == []


def test_a_callers_own_error_is_not_taken_for_a_bad_record(
    event: Event, tmp_path: Path
) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield event(0)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        write_container(tmp_path / "events.avro", "RequestEvent", failing())
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_breaks_a_rule_is_told_with_its_place(
    event: Event, tmp_path: Path
) -> None:
    path = tmp_path / "events.avro"
    events = [event(place) for place in range(5000)]
    events[4500]["client"] = "x" * 600
    write_container(path, "RequestEvent", events)

    with pytest.raises(ContentRefused, match=r"events\.avro, record 4500: .*client"):
        list(read_container(path))


@pytest.mark.parametrize("keep", [0, 3, 100, 20_000, -1])
def test_a_cut_file_is_told_by_its_name(
    event: Event, tmp_path: Path, keep: int
) -> None:
    path = tmp_path / "events.avro"
    write_container(path, "RequestEvent", [event(place) for place in range(200)])
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(UndecodableRecord, match=r"events\.avro: not a whole Avro"):
        list(iter_datums(path))


def test_a_damaged_block_is_told_by_the_files_name(
    event: Event, tmp_path: Path
) -> None:
    path = tmp_path / "events.avro"
    write_container(path, "RequestEvent", [event(place) for place in range(200)])
    whole = path.read_bytes()
    at = whole.index(b"event-0000000000000064")
    path.write_bytes(whole[: at - 1] + b"\xf0" + whole[at:])

    with pytest.raises(UndecodableRecord, match=r"events\.avro: not a whole Avro"):
        list(iter_datums(path))
