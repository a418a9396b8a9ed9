from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.marked_rows import MARKER, MarkedRows
from streams.engine.stage import Row

_ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from([b"a", b"b", MARKER]),
        st.sampled_from([b"1", b"2"]),
    ),
    max_size=20,
)


def _given(held: MarkedRows, rows: list[Row]) -> tuple[list[Row], list[bytes]]:
    flushes = list(held.add(rows))
    assert len(flushes) <= 1
    return [row for f in flushes for row in f.rows], [f.marker for f in flushes]


def _expected(rows: list[Row]) -> list[Row]:
    """Give the rows before the last marker, without markers."""
    at = [place for place, row in enumerate(rows) if row.key == MARKER]
    return [row for row in rows[: at[-1] if at else 0] if row.key != MARKER]


@given(_ROWS, st.integers(0, 20))
def test_rows_come_once_and_in_order_however_they_are_cut(
    rows: list[Row], cut: int
) -> None:
    held = MarkedRows()
    first, ends = _given(held, rows[:cut])
    then, more = _given(held, rows[cut:])
    assert first == _expected(rows[:cut])
    assert first + then == _expected(rows)
    markers = [row.value for row in rows if row.key == MARKER]
    assert [*ends, *more][-1:] == markers[-1:]


@given(_ROWS, _ROWS)
def test_dropped_rows_never_come(first: list[Row], then: list[Row]) -> None:
    held = MarkedRows()
    list(held.add(first))
    held.drop()
    assert _given(held, then)[0] == _expected(then)


def test_a_marker_without_a_value_ends_nothing() -> None:
    held = MarkedRows()
    assert list(held.add([Row(b"a", b"1"), Row(MARKER, None)])) == []
