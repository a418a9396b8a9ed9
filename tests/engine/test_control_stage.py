"""Entries reach the log of links once they can be read, in order, and keep it so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import ControlEntry, encode_record
from streams.contracts.stage_batch import decode_batch
from streams.engine.control_stage import (
    CONTROL_SOURCE,
    ControlRecord,
    ControlStage,
    decode_control,
)
from streams.engine.stage import Chunk, Output, Row
from streams.errors import UndecodableRecord

_ENTRY = ControlEntry(
    entry_id="release:account:7:1",
    kind="release",
    subject="account:7",
    author="ana",
    reason="wrong",
    created_at=1,
)
_GOOD = (b"release:account:7:1", encode_record(_ENTRY))
_GONE = (b"allowlist:account:7", None)
_BAD: list[tuple[bytes | None, bytes | None]] = [
    (None, None),
    (b"\xff", None),
    (b"x", b"\xc3\x01 not an entry"),
]


def _chunk(records: list[tuple[bytes | None, bytes | None]], first: int = 0) -> Chunk:
    offsets = range(first, first + len(records))
    keys, values = [key for key, _ in records], [value for _, value in records]
    return Chunk(offsets, values, [5] * len(records), keys)


def _read(outputs: list[Output]) -> list[ControlRecord]:
    records = []
    for output in outputs:
        batch = decode_batch("MemberLinks", output.value or b"")
        assert (output.topic, output.partition) == ("llm.links", 0)
        assert (batch.source_partition, batch.closed_minute) == (CONTROL_SOURCE, -1)
        records.append(decode_control(batch.payload))
    return records


def test_entries_and_withdrawals_are_forwarded_and_the_rest_is_refused() -> None:
    stage = ControlStage(0)
    rejected = stage.take(_chunk([_GOOD, *_BAD, _GONE]))
    assert [refusal.offset for refusal in rejected] == [1, 2, 3]
    assert all(isinstance(one.error, UndecodableRecord) for one in rejected[:2])
    assert (stage.applied_offset, stage.open_minute) == (0, None)
    good, gone = _read(stage.advance())
    assert (good.offset, good.entry(), good.after) == (0, _ENTRY, None)
    assert (gone.offset, gone.entry_id, gone.entry()) == (4, _GONE[0].decode(), None)
    assert stage.applied_offset == 5
    assert stage.advance() == []


_RECORDS: st.SearchStrategy[list[Any]] = st.lists(
    st.sampled_from([_GOOD, _GONE, *_BAD]), max_size=12
)


@given(_RECORDS, st.lists(st.integers(1, 4), max_size=12), st.integers(0, 12))
def test_cuts_repeats_and_restarts_do_not_matter(
    records: list[tuple[bytes | None, bytes | None]], cuts: list[int], crash: int
) -> None:
    whole = ControlStage(0)
    whole.take(_chunk(records))
    expected = _read(whole.advance())
    stage, seen, at = ControlStage(0), dict[int, ControlRecord](), 0
    rows: list[Row] = []
    for number, size in enumerate([*cuts, len(records)]):
        begin = max(at - 1, 0)
        stage.take(_chunk(records[begin : at + size], begin))
        at = min(at + size, len(records))
        seen |= {record.offset: record for record in _read(stage.advance())}
        if number == crash:
            stage = ControlStage(0)
            stage.restore(rows)
            stage.restored()
            at = stage.applied_offset
        else:
            rows += stage.dirty_rows()
    stage.take(_chunk(records[at:], at))
    seen |= {record.offset: record for record in _read(stage.advance())}
    assert list(seen.values()) == expected


@pytest.mark.parametrize("payload", [b"", b"\x90", b"\xc1"])
def test_a_payload_of_another_kind_is_refused(payload: bytes) -> None:
    with pytest.raises(UndecodableRecord, match="another version"):
        decode_control(payload)


def test_only_news_is_written_to_the_changelog() -> None:
    stage = ControlStage(0)
    assert not stage.dirty_rows()
    stage.take(_chunk([_GOOD]))
    stage.close_idle(7)
    stage.advance()
    assert len(stage.dirty_rows()) == 1
    assert not stage.dirty_rows()
