from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.changelog import (
    ChangelogReader,
    ChangelogWriter,
    fence,
)
from streams.bus.record_columns import header_column
from streams.engine.row_block import RowBlock
from streams.engine.stage import Row
from streams.errors import StateError

MARKER = b"marker"


@dataclasses.dataclass(slots=True)
class Record:
    """A record of the log; ``good`` says whether its row should count."""

    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    good: bool


class Log:
    """A partition in memory, its rightful owner's state, and its former owners."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.end = 0
        self.truth: dict[bytes, bytes] = {}
        self.writers: list[ChangelogWriter] = []

    def append(
        self, key: bytes, value: bytes, headers: list[tuple[str, bytes]], *, good: bool
    ) -> int:
        self.records.append(Record(self.end, key, value, headers, good))
        self.end += 1
        return self.end - 1

    def read(self) -> tuple[ChangelogReader, dict[bytes, bytes | None]]:
        reader, state = ChangelogReader("log[0]"), {}
        for i in range(0, len(self.records), 3):  # in chunks, as they come
            part = self.records[i : i + 3]
            counted = reader.read(
                [r.offset for r in part],
                RowBlock.of(Row(r.key, r.value) for r in part),
                header_column([r.headers for r in part]),
            )
            state.update({row.key: row.value for rows in counted for row in rows})
        return reader, state

    def take_over(self, late: list[bytes]) -> None:
        """Change owners; the former one writes ``late`` before it knows."""
        epoch = len(self.writers) + 1
        key, headers = fence(epoch)
        fence_offset = self.append(key, b"", headers, good=True)
        if self.writers:
            self.flush(len(self.writers) - 1, late, whole=True, good=False)
        reader, state = self.read()
        assert state == self.truth
        self.writers.append(reader.take_over(epoch, fence_offset))

    def flush(self, owner: int, keys: list[bytes], *, whole: bool, good: bool) -> None:
        if not keys:
            return
        writer = self.writers[owner]
        rows = [Row(key, b"%d@%d" % (owner, self.end)) for key in keys]
        for row in rows:
            assert row.value is not None
            self.append(row.key, row.value, writer.row_headers, good=good and whole)
        if whole:
            value = b"%d@%d" % (owner, self.end)
            self.append(MARKER, value, writer.end_headers, good=good)
            if good:
                self.truth.update({row.key: row.value or b"" for row in rows})
                self.truth[MARKER] = value

    def compact(self, end: int) -> None:
        """Keep the last record of each key before ``end``, as the log cleaner does.

        The cleaner waits until rows that do not count have been written anew; a case
        in which they have not is left alone.
        """
        last = {r.key: r for r in self.records if r.offset < end}
        newest = {r.key: r for r in self.records if r.good}
        for key, record in last.items():
            shadowed = any(
                r.good for r in self.records if r.key == key and r.offset < end
            )
            if not record.good and shadowed and newest[key].offset < record.offset:
                return
        self.records = [r for r in self.records if r.offset >= end or last[r.key] is r]


KEYS = st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=4, unique=True)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("flush"), KEYS),
        st.tuples(st.just("cut off, then taken over"), KEYS, KEYS),
        st.tuples(st.just("taken over"), KEYS),
        st.tuples(st.just("zombie"), KEYS, st.booleans()),
        st.tuples(st.just("compact"), st.floats(0, 1)),
    ),
    max_size=25,
)


@given(STEPS)
def test_a_new_owner_reads_the_state_of_the_last_whole_flush(
    steps: list[tuple[object, ...]],
) -> None:
    log = Log()
    log.take_over([])
    for name, *what in steps:
        rightful = len(log.writers) - 1
        match name, what:
            case "flush", [list(keys)]:
                log.flush(rightful, keys, whole=True, good=True)
            case "cut off, then taken over", [list(keys), list(late)]:
                log.flush(rightful, keys, whole=False, good=True)
                log.take_over(late)
            case "taken over", [list(late)]:
                log.take_over(late)
            case "zombie", [list(keys), bool(whole)] if rightful > 0:
                log.flush(rightful - 1, keys, whole=whole, good=False)
            case "compact", [float(share)]:
                log.compact(int(share * log.end))
            case _:
                pass
    _, state = log.read()
    assert state == log.truth


def test_a_foreign_record_is_refused_with_its_place() -> None:
    with pytest.raises(StateError, match=r"^log\[0\]@7: "):
        ChangelogReader("log[0]").read(
            [7], RowBlock.of([Row(b"a", b"1")]), header_column([[]])
        )
